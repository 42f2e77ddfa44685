"""Results as files: one JSON file for each row, seed, split and digest."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from crossx.core.atomic import write_text
from crossx.core.errors import InputError

_DIGITS = 6
"""Kept digits of an average precision; a table shows three."""


@dataclass(frozen=True)
class Result:
    """A row measured with one seed.

    Attributes:
        benchmark: Name of the benchmark.
        row: Name of the row.
        seed: Number of the teacher pair, and the seed of the fit.
        split: Which images were measured.
        config: Digest of the code, of the configs of teachers, fit and measurement, and of the gallery.
        files: Role of a file, such as `photo` for the photo teacher -> SHA-256 of the file.
        metrics: Metric name to value; empty for a row that failed.
        ap_all: Average precision of each query, None where nothing is relevant.
        labels: Class of each query.
        classes: Class names that the labels index.
        precision_at_recall: Mean interpolated precision at recalls 0, 0.1, ..., 1.
        pairs: Measures of the last pairs, such as `recon/agreement`, those that the fit itself has not logged from the
            run of the generators that it was given; empty where none are made.
        curve: Training steps and mAP@all on validation, in the order of time, from step 0 where that was measured;
            empty where nothing is trained. Generators that the fit was given are not counted.
        posterior: Form and temperatures of posterior matching, and what chose them, of a row that measures it: the
            entries `posterior` and `posterior_origin` of its `results.json`.
        seconds: Duration of the fit.
        teachers_made_with: Role of a classifier -> commit that it was trained at; shown and not compared.
        fitted_with: Versions, commit and machine of the fit; shown and not compared. Empty where nothing is trained.
        measured_with: The same of the measurement, which may be a later one.
        failed: Why there are no figures; empty for a row that was measured.
    """

    benchmark: str
    row: str
    seed: int
    split: str
    config: str
    files: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    ap_all: list[float | None] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    precision_at_recall: list[float] = field(default_factory=list)
    pairs: dict[str, float] = field(default_factory=dict)
    curve: list[tuple[int, float]] = field(default_factory=list)
    posterior: dict[str, str | float | None] = field(default_factory=dict)
    seconds: float = 0.0
    teachers_made_with: dict[str, str] = field(default_factory=dict)
    fitted_with: dict[str, str] = field(default_factory=dict)
    measured_with: dict[str, str] = field(default_factory=dict)
    failed: str = ""

    def place(self, folder: Path) -> Path:
        """File below a folder of results."""
        return folder / self.benchmark / f"{self.row}-{self.seed}-{self.split}-{self.config[:8]}.json"

    def write(self, folder: Path) -> None:
        """Write the result to its place, atomically."""
        content = {**asdict(self), "ap_all": [None if ap is None else round(ap, _DIGITS) for ap in self.ap_all]}
        write_text(self.place(folder), json.dumps(content) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a result.

        Raises:
            InputError: When the file is not a result.
        """
        try:
            content: dict[str, Any] = json.loads(path.read_text())
            return cls(**{**content, "curve": [(int(step), float(value)) for step, value in content["curve"]]})
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise InputError(f"results: {path} is not a result of this benchmark ({error}); delete it") from error


def stored(folder: Path, benchmark: str) -> Iterator[Result]:
    """All results of a benchmark below a folder, by name.

    Raises:
        InputError: When a file is not a result.
    """
    for path in sorted((folder / benchmark).glob("*.json")):
        yield Result.read(path)
