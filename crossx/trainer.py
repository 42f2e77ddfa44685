"""What crossx asks of Lightning's trainer, in one place."""

from pathlib import Path

import lightning.pytorch as pl


def is_fast_dev_run(trainer: pl.Trainer) -> bool:
    """Whether the run only tries a few batches; Lightning sets the attribute without declaring it."""
    return bool(getattr(trainer, "fast_dev_run", False))


def run_folder(trainer: pl.Trainer) -> Path | None:
    """Where a run keeps its files; None in a fast_dev_run, which leaves nothing behind.

    Call it on all processes: Lightning asks the first one where the folder is.
    """
    folder = None if is_fast_dev_run(trainer) else trainer.log_dir
    return None if folder is None else Path(folder)


def batches_done(trainer: pl.Trainer) -> int:
    """Training batches finished since the very start, also before a resume.

    The one clock of the schedule, of ramps, latents and seeds. (`global_step` counts optimiser steps, which are fewer
    where gradients are accumulated.)
    """
    return trainer.fit_loop.epoch_loop.batch_progress.total.completed
