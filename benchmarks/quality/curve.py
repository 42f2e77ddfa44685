"""How good a run was on validation, while it trained."""

import csv
from pathlib import Path


def validation_curve(metrics: Path) -> list[tuple[int, float]]:
    """Training steps done and mAP@all, in the order of time.

    Args:
        metrics: A run's `metrics.csv`.
    """
    with metrics.open(newline="") as file:
        rows = [(row["step"], row.get("val/map_all")) for row in csv.DictReader(file)]
    # Lightning logs a validation under the index of the last step, which is one less than the steps done.
    return [(int(step) + 1, float(value)) for step, value in rows if value]
