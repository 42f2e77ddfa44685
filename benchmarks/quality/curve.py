"""What a run logged while it trained."""

import csv
from collections.abc import Sequence
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


def last_values(metrics: Path, columns: Sequence[str]) -> dict[str, float]:
    """The last value of each column that has one.

    Args:
        metrics: A run's `metrics.csv`.
        columns: Names of columns; those that the run did not log are left out.
    """
    values: dict[str, float] = {}
    with metrics.open(newline="") as file:
        for row in csv.DictReader(file):
            values |= {name: float(row[name]) for name in columns if row.get(name)}
    return values
