"""The progress of a run: one counter, of the run's steps; a bar on a terminal, and a line now and then elsewhere."""

import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import RichProgressBar

_BAR_WIDTH = 66
"""Columns of the bar without metrics."""
_LINE_WIDTH = 80
_SECONDS = 30.0
"""Time between two lines where there is no terminal."""


class ProgressBar(RichProgressBar):
    """Lightning's rich progress bar, which counts the steps of the run where `max_steps` gives their number.

    In a file, a pipe or the log of a job there is a line every 30 seconds, and one behind the last step:
    `step 40/60  0.29 it/s  recon/loss 1.203  encode/loss 2.118`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._first = 0
        self._started = self._printed = 0.0
        self._seen: dict[str, Any] = {}

    @property
    def _has_terminal(self) -> bool:
        return self._console is not None and (self._console.is_terminal or self._console.is_jupyter)

    def _init_progress(self, trainer: pl.Trainer) -> None:
        super()._init_progress(trainer)
        if self.progress is not None and not self._has_terminal:
            self.progress.live.transient = True  # the lines say what the bar would, once it is finished

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the bar and the clock."""
        super().on_train_start(trainer, pl_module)
        self._seen = {}
        self._first, self._started, self._printed = trainer.global_step, time.monotonic(), time.monotonic()

    def _print_line(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        now, step = time.monotonic(), trainer.global_step
        self._printed = now
        total = f"/{trainer.max_steps}" if trainer.max_steps > 0 else ""
        line = f"step {step}{total}  {(step - self._first) / max(now - self._started, 1e-9):.2f} it/s"
        for name, value in self._newest(trainer, pl_module).items():
            shown = f"  {name} {value:.3f}" if isinstance(value, float) else f"  {name} {value}"
            if len(line) + len(shown) <= _LINE_WIDTH:
                line += shown
        print(line, flush=True)  # noqa: T201 - what a log is read for

    def _newest(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """The newest value of each metric, losses first: generators and encoders log in different batches."""
        self._seen.update(super().get_metrics(trainer, pl_module))
        self._seen.pop("v_num", None)
        return dict(sorted(self._seen.items(), key=lambda item: (not item[0].endswith("loss"), "val/" not in item[0])))

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Return the metrics that fit beside the bar in one line, without the version number of the logger."""
        metrics = self._newest(trainer, pl_module)
        free = (80 if self._console is None else self._console.width) - _BAR_WIDTH
        shown: dict[str, Any] = {}
        for name, value in metrics.items():
            free -= len(name) + len(": 0.123 ")
            if free >= 0:
                shown[name] = value
        return shown

    @property
    def total_train_batches(self) -> int | float:
        """Steps of the run, or, where a run is counted in epochs, batches of the epoch."""
        steps = self.trainer.max_steps
        return steps if steps > 0 else super().total_train_batches

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the bar where the last epoch has left it."""
        super().on_train_epoch_start(trainer, pl_module)
        if trainer.max_steps > 0:
            self._update(self.train_progress_bar_id, trainer.global_step)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any) -> None:  # noqa: ANN401
        """Count the step."""
        outputs, batch, batch_idx = rest
        done = trainer.global_step - 1 if trainer.max_steps > 0 else batch_idx
        super().on_train_batch_end(trainer, pl_module, outputs, batch, done)
        if self.is_enabled and not self._has_terminal and time.monotonic() - self._printed >= _SECONDS:
            self._print_line(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Finish the bar before the results are printed."""
        if self.is_enabled and not self._has_terminal and trainer.global_step > self._first:
            self._print_line(trainer, pl_module)
        self._stop_progress()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Finish the bar of a validation that is no part of a fit, likewise."""
        super().on_validation_end(trainer, pl_module)
        if trainer.state.fn != "fit":
            self._stop_progress()

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Finish the bar, likewise."""
        super().on_test_end(trainer, pl_module)
        self._stop_progress()

    def _get_train_description(self, current_epoch: int) -> str:
        # Lightning's own text counts epochs up to `max_epochs - 1`, which is -2 here.
        if self.trainer.max_steps > 0:
            return "steps"
        description: str = super()._get_train_description(current_epoch)
        return description
