"""What has been measured: one JSON file a row and seed, valid for exactly what gave it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from crossx import __version__
from crossx.errors import InputError
from crossx.files import write_text
from crossx.paths import resolve

_PLACES = ("logger", "default_root_dir", "ckpt_path")
"""Keys whose values say where something is put, and not what it is."""
_FILES = (".safetensors", ".json", ".tsv")
"""Endings of the files that a config names: what counts is what is in them."""


@dataclass(frozen=True)
class Result:
    """A row measured with one seed.

    Attributes:
        benchmark: Name of the benchmark.
        row: Name of the row.
        seed: Number of the teacher pair, and the seed of the fit.
        identity: Hash of all that the figures depend on.
        split: Which images were measured.
        metrics: Metric name to value; empty for a row that failed.
        ap_all: Average precision of each query, None where nothing is relevant.
        curve: Training steps and mAP@all on validation, in the order of time; empty where nothing is trained.
        seconds: Duration of the fit.
        failed: Why there are no figures; empty for a row that was measured.
    """

    benchmark: str
    row: str
    seed: int
    identity: str
    split: str
    metrics: dict[str, float]
    ap_all: list[float | None]
    curve: list[tuple[int, float]]
    seconds: float
    failed: str = ""

    def write(self, folder: Path) -> None:
        """Write it to its place below a folder of results."""
        content = {**asdict(self), "ap_all": [None if ap is None else round(ap, 6) for ap in self.ap_all]}
        write_text(place(folder, self.benchmark, self.row, self.seed), json.dumps(content) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read one.

        Raises:
            InputError: When the file is not one of ours.
        """
        try:
            content = json.loads(path.read_text())
            return cls(**{**content, "curve": [(int(step), float(value)) for step, value in content["curve"]]})
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise InputError(f"results: {path} is not a result of this benchmark ({error}); delete it") from error


def place(folder: Path, benchmark: str, row: str, seed: int) -> Path:
    """Where a result lies."""
    return folder / benchmark / f"{row}-{seed}.json"


def identity(config: Mapping[str, Any], split: str) -> str:
    """SHA-256 (hex) of all that a row's figures depend on.

    That is the resolved config without the places where things are put, with the content of files (teachers, splits) in
    place of their names, the images that are measured, and the version of the package.

    Args:
        config: The resolved config.
        split: The part of the data that is measured.
    """
    content = {"config": _contents(config), "split": split, "version": __version__}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _contents(value: Any) -> Any:  # noqa: ANN401 - any config value
    if isinstance(value, Mapping):
        return {key: _contents(part) for key, part in value.items() if key not in _PLACES}
    if isinstance(value, list):
        return [_contents(part) for part in value]
    if isinstance(value, str) and value.endswith(_FILES):
        return hashlib.sha256(resolve(value, "config").read_bytes()).hexdigest()
    return value
