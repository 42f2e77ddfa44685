"""Results as files: one JSON file for each row, seed and split."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.finegrained.plan import Measurement
from crossx.core.atomic import write_text
from crossx.core.errors import InputError


@dataclass(frozen=True)
class Result:
    """A row measured with one seed.

    Attributes:
        benchmark: Name of the benchmark.
        row: Name of the row.
        seed: Seed of the fit.
        split: Which images were measured.
        config: Digest of code, config, gallery, seed and all that the row takes from others.
        metrics: Metric name to value; empty for a row that failed.
        ranks: Rank of each query's own photo.
        class_ranks: The same among the photos of its class.
        split_hash: Hash of the images of all splits.
        seconds: Duration of the fit; 0 where nothing trains.
        made_with: Versions, commit and machine; shown and not compared.
        failed: Why there are no figures; empty for a row that was measured.
    """

    benchmark: str
    row: str
    seed: int
    split: str
    config: str
    metrics: dict[str, float] = field(default_factory=dict)
    ranks: list[int] = field(default_factory=list)
    class_ranks: list[int] = field(default_factory=list)
    split_hash: str = ""
    seconds: float = 0.0
    made_with: dict[str, str] = field(default_factory=dict)
    failed: str = ""

    def write(self, folder: Path) -> None:
        """Write the result to its place, atomically."""
        path = folder / self.benchmark / f"{self.row}-{self.seed}-{self.split}-{self.config[:8]}.json"
        write_text(path, json.dumps(asdict(self)) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a result.

        Raises:
            InputError: When the file is not a result.
        """
        try:
            return cls(**json.loads(path.read_text()))
        except (ValueError, TypeError, OSError) as error:
            raise InputError(f"results: {path} is not a result of this benchmark ({error}); delete it") from error


def outcome(m: Measurement) -> Result:
    """The figures of a measurement that is done.

    Raises:
        InputError: When its folders do not hold what a run writes.
    """
    try:
        found = json.loads((m.job.folder / "results.json").read_text())
        fit = json.loads((m.fit_job.folder / "results.json").read_text()) if m.row.trains else {"seconds": 0.0}
        about: dict[str, Any] = json.loads((m.fit_job if m.row.trains else m.job).done.read_text())
        return Result(
            m.benchmark.name,
            m.row.name,
            m.seed,
            m.split,
            m.job.folder.name.rpartition("-")[2],
            metrics=found["metrics"],
            ranks=found["instance"]["ranks"],
            class_ranks=found["instance"]["within_class_ranks"],
            split_hash=found["split_hash"],
            seconds=fit["seconds"],
            made_with=about["made_with"],
        )
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise InputError(f"{m.job.folder}: is not the folder of a measurement ({error!r}); delete it") from error


def failed(m: Measurement, reason: str) -> Result:
    """The result of a row that could not be measured."""
    return Result(m.benchmark.name, m.row.name, m.seed, m.split, "", failed=reason)
