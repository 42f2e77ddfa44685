"""All that crossx reads from Lightning's trainer, in one place."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from crossx.types import Progress, Split


def is_fast_dev_run(trainer: pl.Trainer) -> bool:
    """Whether the run is a try-out of a few batches; Lightning sets the attribute without declaring it."""
    return bool(getattr(trainer, "fast_dev_run", False))


def run_folder(trainer: pl.Trainer) -> Path | None:
    """Return the folder of a run's files; None in a fast_dev_run, which writes none.

    To be called on all processes: the first one sends the folder to the others.
    """
    return None if is_fast_dev_run(trainer) else trainer.strategy.broadcast(own_folder(trainer))


def own_folder(trainer: pl.Trainer) -> Path | None:
    """Return what this process, whose logger may count versions by itself, takes for the folder of a run's files."""
    logger = trainer.logger
    if logger is None:
        return Path(trainer.default_root_dir)
    if isinstance(logger, CSVLogger | TensorBoardLogger):
        return None if logger.log_dir is None else Path(logger.log_dir)
    # For other loggers `log_dir` is what all runs share; this is where Lightning puts their checkpoints.
    return Path(logger.save_dir or trainer.default_root_dir) / str(logger.name) / str(logger.version)


def batches_done(trainer: pl.Trainer) -> int:
    """Training batches finished since the very start, also before a resume.

    The one clock of the schedule, of ramps, latents and seeds.
    """
    return trainer.fit_loop.epoch_loop.batch_progress.total.completed


def count_logged_steps(trainer: pl.Trainer) -> None:
    """Make the step that Lightning logs at equal to the optimiser steps that are done.

    After a resume Lightning expects a checkpoint from within a batch, and counts one batch more than there was when the
    checkpoint is from the end of an epoch.
    """
    trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step


def make_length_known(trainer: pl.Trainer) -> None:
    """Read the training data where only they tell the run's length; to be called before optimisers are built."""
    if trainer.max_steps == -1 and trainer.max_epochs not in (None, -1):
        trainer.fit_loop.setup_data()


def run_steps(trainer: pl.Trainer) -> int | None:
    """Optimiser steps of the whole run; None where the run has no known end, such as one that ends by time."""
    if trainer.max_steps != -1:
        return int(trainer.max_steps)
    epoch, epochs = trainer.fit_loop.max_batches, trainer.max_epochs
    if epochs is None or epochs < 1 or not isinstance(epoch, int):
        return None
    return epochs * epoch


def progress(trainer: pl.Trainer) -> Progress:
    """Position in a run, in training batches."""
    return Progress(batches_done(trainer), run_steps(trainer))


def measured_loaders(trainer: pl.Trainer, split: Split) -> list[Any]:
    """Loaders of the validation or test that runs, or was the last; those of a prediction while it runs.

    `trainer.val_dataloaders` would be those of an earlier fit also while `trainer.validate` reads others.

    Args:
        trainer: The run's trainer.
        split: `validation` or `test`.
    """
    loop = trainer.test_loop if split == "test" else trainer.validate_loop
    if split == "validation" and trainer.state.fn != "validate":
        loop = trainer.fit_loop.epoch_loop.val_loop
    combined = trainer.predict_loop._combined_loader if trainer.state.fn == "predict" else loop._combined_loader
    loaders: Any = None if combined is None else combined.iterables
    return loaders if isinstance(loaders, list) else [] if loaders is None else [loaders]


def measured_batches(trainer: pl.Trainer, split: Split) -> list[tuple[int, int]]:
    """Batches of this process that the last validation or test measured, and those that there are, by loader.

    They differ under `trainer.limit_val_batches`, `limit_test_batches`, `overfit_batches` and `fast_dev_run`.

    Args:
        trainer: The run's trainer.
        split: `validation` or `test`.
    """
    counts = trainer.num_test_batches if split == "test" else trainer.num_val_batches
    found: list[tuple[int, int]] = []
    for done, loader in zip(counts, measured_loaders(trainer, split), strict=False):
        with suppress(TypeError):  # no loader, or one without an end
            found.append((int(done), len(loader)))
    return found
