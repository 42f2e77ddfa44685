"""Generators that have collapsed end a run before its encoders learn from them."""

from collections.abc import Iterable
from typing import NoReturn

import lightning.pytorch as pl

from crossx.core.errors import TrainingError
from crossx.reports.health.detectors import Finding
from crossx.reports.run.checkpoint import LastCheckpoint

_COLLAPSES = ("mode_collapse", "class_imbalance")


def first_collapse(findings: Iterable[Finding]) -> Finding | None:
    """Return the first finding after which encoders have nothing to learn; None where there is none."""
    return next((finding for finding in findings if finding.name in _COLLAPSES), None)


def kept_checkpoint(trainer: pl.Trainer) -> str | None:
    """Write the run's checkpoint, and return its path; None where the run keeps none.

    To be called on all processes.
    """
    paths = []
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, LastCheckpoint):
            callback.save(trainer)
            paths.append(callback.last_model_path)
    return paths[0] if paths else None


def refuse_collapse(message: str, checkpoint: str | None = None) -> NoReturn:
    """End a run.

    Args:
        message: What was found, and what usually helps.
        checkpoint: Where the generators are kept.

    Raises:
        TrainingError: The message with the checkpoint, and with how to go on all the same.
    """
    kept = f", and {checkpoint} keeps the weights" if checkpoint else ""
    resumed = f"--ckpt_path {checkpoint} " if checkpoint else ""
    raise TrainingError(
        f"{message}; training has stopped, because encoders learn little from such pairs{kept}. "
        f"To go on all the same: {resumed}--reports.health.stop_on_collapse false"
    )
