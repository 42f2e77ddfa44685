"""Scalars as a table in the run folder, whatever logger a run has."""

import warnings

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger

from crossx.training.lightning_state import run_folder


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
                warnings.filterwarnings("ignore", "Experiment logs directory .* exists and is not empty")
                _ = table.experiment
            trainer.loggers = [*loggers, table]
