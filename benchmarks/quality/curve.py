"""What a run logged while it trained."""

import csv
from collections.abc import Sequence
from pathlib import Path
from statistics import mean


def validation_curve(metrics: Path, steps: int, at_start: float | None = None) -> list[tuple[int, float]]:
    """Training steps done and mAP@all, in the order of time.

    Args:
        metrics: A run's `metrics.csv`.
        steps: Steps of the whole run.
        at_start: mAP@all before the first step, where that was measured; a run's table does not have it.
    """
    with metrics.open(newline="") as file:
        rows = [(row["step"], row.get("val/map_all")) for row in csv.DictReader(file)]
    # Inside a fit Lightning logs a validation under the index of the last step, which is one less than the steps done;
    # the validation behind it stands under their number.
    curve = [(min(int(step) + 1, steps), float(value)) for step, value in rows if value]
    return curve if at_start is None else [(0, at_start), *curve]


def steps_done(metrics: Path) -> int:
    """Training steps that have been logged.

    Args:
        metrics: The `metrics.csv` of a run, which may be at work on it.
    """
    with metrics.open(newline="") as file:
        steps = [int(step) for row in csv.DictReader(file) if (step := row.get("step") or "").isdigit()]
    return max(steps, default=-1) + 1


def last_mean(metrics: Path, columns: Sequence[str], count: int = 5) -> dict[str, float]:
    """The mean of the last logged values of each column that has one.

    Args:
        metrics: A run's `metrics.csv`.
        columns: Names of columns; those that the run did not log are left out.
        count: Number of values.
    """
    with metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))
    logged = {name: [float(row[name]) for row in rows if row.get(name)] for name in columns}
    return {name: mean(values[-count:]) for name, values in logged.items() if values}
