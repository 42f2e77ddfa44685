"""W&B: the content of a run folder, in the browser. Only this file imports wandb, and only in a run with W&B."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import numpy as np
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import WandbLogger

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.reports.run.export import ENCODERS, encoders_of
from crossx.training.guided import TeacherGuided
from crossx.training.hashes import teacher_hashes
from crossx.training.lightning_state import run_folder
from crossx.training.retrieval import RetrievalModule
from crossx.types import MODALITIES

if TYPE_CHECKING:
    import wandb

STEP = "trainer/global_step"
"""The one step axis; Lightning logs it with every scalar."""
GROUPS = ("recon", "encode", "val", "test", "media", "classes")
_STEP_IN_NAME = re.compile(r"_?step_\d+")
_MOST_BINS = 512
"""What a histogram of W&B holds."""


class WandbDashboard(Callback):
    """Sends to W&B what the other reports have written into the run folder; does nothing without a `WandbLogger`.

    - One step axis, `trainer/global_step`, for all groups of scalars and all pictures.
    - The resolved config, and `run_folder`, in the run's config.
    - Every new picture as `media/<name>` and the counts of classes as histograms `classes/photo` and `classes/sketch`,
      after a validation or at the end of an epoch.
    - Artifacts: the run uses its two teachers, and logs its encoders under the aliases `best` and `last`: validation
      does not steer, so no weights are better than the last ones. Artifacts hold safetensors files only; a teacher in
      another form is named by its card and hash, without its weights.

    Args:
        media: Send pictures and histograms. The sheets of retrieval show real images of the validation split.
        artifacts: Send teachers and encoders.
        init_timeout: Seconds that the command line waits for W&B before a run, at least 1; the environment variable
            WANDB_INIT_TIMEOUT wins.

    Attributes:
        config: The resolved config, set by the command line; empty when used from Python.

    Raises:
        InputError: When `init_timeout` is below 1.
    """

    def __init__(self, media: bool = True, artifacts: bool = True, init_timeout: int = 60) -> None:
        must_be_in("wandb.init_timeout", init_timeout, "[1, inf)")
        self.media = media
        self.artifacts = artifacts
        self.init_timeout = init_timeout
        self.config: dict[str, Any] = {}
        self._sent: dict[Path, int] = {}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Declare the step axis and send the config."""
        folder, run = run_folder(trainer), wandb_run(trainer)
        if run is None or folder is None:
            return
        for group in GROUPS:
            run.define_metric(f"{group}/*", step_metric=STEP)
        config = {**self.config, "run_folder": str(folder.resolve())}
        run.config.update(config, allow_val_change=True)  # type: ignore[no-untyped-call]
        self._sent = {**_files(folder), **self._sent}  # files of an earlier run are not sent again

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Send the teachers as artifacts that this run uses."""
        run = wandb_run(trainer)
        if run is None or not self.artifacts or not isinstance(pl_module, TeacherGuided):
            return
        teachers = pl_module.teachers
        for side, teacher in zip(MODALITIES, (teachers.photo, teachers.sketch), strict=True):
            metadata = {"hash": teacher.hash, **asdict(teacher.card)}
            artifact = _artifact(f"teacher-{side}-{teacher.hash[:12]}", "teacher", metadata)
            path = _teacher_file(self.config, side)
            if path is not None:
                artifact.add_file(str(path), name=path.name)
            # The public `run.use_artifact` calls the same and waits for the upload, but it refuses to work offline
            # ("Cannot use artifact when in offline mode."), where `wandb sync` uploads later.
            run._log_artifact(artifact, is_user_created=True, use_after_commit=True)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Send the files that are new since the last time."""
        self._send(trainer)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Send the files that are new since the last time."""
        self._send(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Send the files that are new since the last time."""
        self._send(trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Send the encoders, which have just been exported."""
        folder, run = run_folder(trainer), wandb_run(trainer)
        if run is None or folder is None or not self.artifacts or not encoders_of(pl_module):
            return
        metadata = {
            "step": trainer.global_step,
            "weights": "last",
            "data_free": isinstance(pl_module, RetrievalModule) and pl_module.data_free,
            "teachers": teacher_hashes(pl_module),
        }
        artifact = _artifact(f"encoders-{run.id}", "encoders", metadata)
        artifact.add_file(str(folder / ENCODERS), name=ENCODERS)
        # A data-free run has no labels to choose by, so the weights that it stands by are the last ones.
        run.log_artifact(artifact, aliases=["best", "last"])

    def _send(self, trainer: pl.Trainer) -> None:
        folder, run = run_folder(trainer), wandb_run(trainer)
        if run is None or folder is None or not self.media:
            return
        files = _files(folder)
        logged: dict[str, Any] = {}
        for path in sorted(path for path, changed in files.items() if self._sent.get(path) != changed):
            logged.update(_media(path.relative_to(folder), path))
        self._sent.update(files)
        if logged:
            run.log({**logged, STEP: trainer.global_step})


def connect(trainer: pl.Trainer) -> None:
    """Start the W&B runs of a trainer's loggers, before anything is computed.

    Args:
        trainer: The trainer; the timeout is that of its `WandbDashboard`.

    Raises:
        InputError: When W&B does not start: it cannot be reached, there is no key, or its settings are wrong.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set in Trainer's constructor
    dashboard = next((c for c in callbacks if isinstance(c, WandbDashboard)), WandbDashboard())
    timeout = dashboard.init_timeout
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            if logger.save_dir is not None:
                _make_folder(Path(logger.save_dir))
            try:
                with _init_timeout(timeout):
                    _ = logger.experiment
            except Exception as error:  # whatever W&B says, the run has not begun and can go on without it
                reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
                raise InputError(
                    f"trainer.logger: W&B did not start ({reason}); `wandb login`, or go offline with "
                    "WANDB_MODE=offline and `wandb sync` later, or leave trainer/wandb.yaml out"
                ) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"trainer.logger.save_dir: must be a folder to write into, got {folder}: {error.strerror}"
        ) from error


@contextmanager
def _init_timeout(seconds: int) -> Iterator[None]:
    # As an argument of the logger it would be one of `settings`, which replace all settings from the environment.
    key = "WANDB_INIT_TIMEOUT"
    if key in os.environ:
        yield
        return
    os.environ[key] = str(seconds)
    try:
        yield
    finally:
        del os.environ[key]


def finish(trainer: pl.Trainer) -> None:
    """End the W&B runs of a trainer's loggers, as far as they have begun."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger) and trainer.is_global_zero:
            logger.experiment.finish()


def wandb_run(trainer: pl.Trainer) -> wandb.Run | None:
    """The W&B run on the first process; None in a run without W&B, and when it is disabled."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger) and trainer.is_global_zero:
            run: wandb.Run = logger.experiment
            return None if run.disabled else run
    return None


def _files(folder: Path) -> dict[Path, int]:
    """Pictures and counts of a run folder, with the time of their last change."""
    found = (*folder.glob("*.png"), *folder.glob("*/*.png"), *folder.glob("classes/*.csv"))
    return {path: path.stat().st_mtime_ns for path in found}


def _media(name: Path, path: Path) -> dict[str, Any]:
    """Convert a file of the run folder to W&B media, by key."""
    import wandb

    if path.suffix == ".png":
        stem = _STEP_IN_NAME.sub("", name.stem)
        return {"media/" + "_".join(part for part in (*name.parts[:-1], stem) if part): wandb.Image(str(path))}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if len(rows) > _MOST_BINS:
        return {}
    counts = {side: np.array([int(row[side]) for row in rows]) for side in MODALITIES}
    edges = np.arange(len(rows) + 1)
    return {f"classes/{side}": wandb.Histogram(np_histogram=(values, edges)) for side, values in counts.items()}


def _artifact(name: str, kind: str, metadata: dict[str, Any]) -> wandb.Artifact:
    import wandb

    return wandb.Artifact(name, type=kind, metadata=metadata)


def _teacher_file(config: dict[str, Any], side: str) -> Path | None:
    """The safetensors file that a teacher was read from; None for a teacher of another form."""
    spec = (config.get("teachers") or {}).get(side)
    if isinstance(spec, str) and spec.endswith(".safetensors"):
        with suppress(InputError):
            return resolve(spec, f"teachers.{side}")
    return None
