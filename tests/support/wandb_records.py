"""Runs with W&B, and what an offline one has written down, read back from its `.wandb` file."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wandb.proto.wandb_internal_pb2 as messages

from crossx.cli.training import train
from support.commands import Config, write

Record: Any = messages.Record  # type: ignore[attr-defined]  # made at run time
BLOCK = 32768
FULL, LAST = 1, 4
"""Kinds of parts that end a record, in LevelDB's log format."""


def records(path: Path) -> Iterator[Any]:
    """The records of a file: a header of 7 bytes, then parts with 7 bytes before each, none across a block's edge."""
    data = path.read_bytes()
    assert data[:4] in (b":W&B", b"")
    place, record = 7, b""
    while place + 7 <= len(data):
        left = BLOCK - place % BLOCK
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        if place + 7 + length > len(data):
            return  # not all of it has been written yet
        record += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (FULL, LAST):
            yield Record.FromString(record)
            record = b""


def finished_records(path: Path, seconds: float = 60.0) -> list[Any]:
    """The records of a finished run: W&B's service writes the last ones after `finish` has returned."""
    deadline = time.monotonic() + seconds
    while True:
        found = list(records(path))
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        assert time.monotonic() < deadline, f"{path} has no end"
        time.sleep(0.05)


def put(values: dict[str, Any], item: Any) -> None:  # noqa: ANN401 - history and config items alike
    """Set a value whose key may be nested."""
    *path, name = list(item.nested_key) or [item.key]
    for step in path:
        values = values.setdefault(step, {})
    values[name] = json.loads(item.value_json)


class WrittenRun:
    """One run.

    Attributes:
        files: Folder of the media.
        history: Rows in the order of logging.
        config: The run's config.
        axes: Glob or name of metrics to the name of their step metric.
        artifacts: Artifact records.
    """

    def __init__(self, folder: Path) -> None:
        (path,) = folder.glob("wandb/offline-run-*/*.wandb")
        self.files = path.parent / "files"
        self.history: list[dict[str, Any]] = []
        self.config: dict[str, Any] = {}
        self.axes: dict[str, str] = {}
        self.artifacts: list[Any] = []
        for record in finished_records(path):
            kind = record.WhichOneof("record_type")
            if kind == "history":
                row: dict[str, Any] = {}
                for item in record.history.item:
                    put(row, item)
                self.history.append(row)
            elif kind == "config":
                for item in record.config.update:
                    put(self.config, item)
            elif kind == "metric":
                self.axes[record.metric.glob_name or record.metric.name] = record.metric.step_metric
            elif kind == "artifact":
                self.artifacts.append(record.artifact)

    def logged(self, key: str) -> dict[int, Any]:
        """Value by step."""
        return {row["trainer/global_step"]: row[key] for row in self.history if key in row}


def fit_with_wandb(folder: Path, content: Config, *words: str) -> None:
    """Fit a config with W&B put behind it."""
    where = ["--trainer.logger.init_args.save_dir", str(folder)]
    train(["fit", "--config", write(folder / "c.yaml", content), "--config", "trainer/wandb.yaml", *where, *words])
