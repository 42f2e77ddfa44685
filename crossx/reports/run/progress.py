"""The progress bar: steps of a run that is counted in steps."""

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import RichProgressBar


class ProgressBar(RichProgressBar):
    """Lightning's rich progress bar for runs with `max_steps` and without `max_epochs`."""

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Metrics beside the bar, without the version number of the logger."""
        metrics: dict[str, Any] = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics

    def _get_train_description(self, current_epoch: int) -> str:
        # Lightning's own counts epochs up to `max_epochs - 1`, which is -2 here.
        if self.trainer.max_steps > 0:
            return f"step {self.trainer.global_step}/{self.trainer.max_steps}"
        description: str = super()._get_train_description(current_epoch)
        return description
