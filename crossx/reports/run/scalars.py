"""Scalars as a table in the run folder, whatever logger a run has and however often it was resumed."""

import csv
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger

from crossx.core.untrusted import read_checkpoint
from crossx.reports.run.tables import write_csv
from crossx.training.lightning_state import run_folder

_NOT_EMPTY = "Experiment logs directory .* exists and is not empty"


class ScalarTable(Callback):
    """Writes `metrics.csv` into the run folder of a run whose loggers do not; `logger: false` asks for none."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Put Lightning's own CSV logger behind the others."""
        folder = run_folder(trainer)  # all processes are asked
        loggers = trainer.loggers
        if folder is not None and loggers and not any(isinstance(logger, CSVLogger) for logger in loggers):
            table = CSVLogger(folder.parent, name="", version=folder.name)
            with warnings.catch_warnings():
                # config.yaml is there already, and is left alone.
                warnings.filterwarnings("ignore", _NOT_EMPTY)
                _ = table.experiment
            trainer.loggers = [*loggers, table]


def logger_in(folder: Path, arguments: Mapping[str, Any]) -> CSVLogger:
    """A CSV logger that writes into a folder.

    Args:
        folder: The run folder.
        arguments: Its other arguments.
    """
    where = {"save_dir": folder.parent.parent, "name": folder.parent.name, "version": folder.name}
    return CSVLogger(**{**arguments, **where})


def continue_table(trainer: pl.Trainer, checkpoint: Path) -> None:
    """Keep the `metrics.csv` of a run that is resumed in its own folder, up to the step of the checkpoint.

    Lightning's logger deletes the table of a folder that it opens. What the run logged after the checkpoint goes,
    because the resumed run trains these steps again.

    Args:
        trainer: The trainer of the resumed run, before it fits.
        checkpoint: What it resumes.
    """
    for logger in trainer.loggers:
        if not isinstance(logger, CSVLogger) or not trainer.is_global_zero:
            continue
        table = Path(logger.log_dir) / "metrics.csv"
        if not table.is_file():
            continue
        done = int(read_checkpoint(checkpoint, "--ckpt_path")["global_step"])
        with table.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            columns, kept = list(rows.fieldnames or ()), [row for row in rows if _is_before(row, done)]
        beside = table.with_name("metrics_before_resume.csv")
        write_csv(beside, columns, ([row[column] for column in columns] for row in kept))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", _NOT_EMPTY)
            writer = logger.experiment
        writer.metrics_keys = columns
        beside.replace(table)


def _is_before(row: Mapping[str, str], done: int) -> bool:
    """Whether a row belongs to the first steps; Lightning counts the n-th batch as n - 1, crossx's reports as n."""
    step = int(row["step"])
    return step < done or (step == done and not row.get("epoch"))
