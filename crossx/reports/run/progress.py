"""The progress bar: one counter, of the run's steps."""

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import RichProgressBar

_BAR_WIDTH = 66
"""Columns of the bar without metrics."""


class ProgressBar(RichProgressBar):
    """Lightning's rich progress bar, which counts the steps of the run where `max_steps` gives their number."""

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Return the metrics that fit beside the bar in one line, without the version number of the logger."""
        metrics: dict[str, Any] = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
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

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Finish the bar before the results are printed."""
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
