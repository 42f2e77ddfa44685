"""The checkpoint that every run keeps."""

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint

from crossx.core.checks import must_be_in


class LastCheckpoint(ModelCheckpoint):
    """Keeps `checkpoints/last.ckpt` in the run folder: the weights at the end of each epoch, and those at the end.

    No checkpoint is chosen by a measure of real images, and a run that was killed goes on from its last epoch.
    Lightning's own `last.ckpt` is written only beside a best checkpoint, or when training ends.

    Args:
        every_n_steps: Write the checkpoint after every so many steps as well, for epochs of hours; None: at the end of
            epochs only.

    Raises:
        InputError: When `every_n_steps` is below 1.
    """

    def __init__(self, every_n_steps: int | None = None) -> None:
        if every_n_steps is not None:
            must_be_in("reports.run.checkpoint_every_n_steps", every_n_steps, "[1, inf)")
        super().__init__(save_last=True, save_top_k=0, enable_version_counter=False)
        self.every_n_steps = every_n_steps

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        """Write the checkpoint, where `every_n_steps` asks for it."""
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            self.save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the checkpoint."""
        self.save(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do nothing: a validation changes no weights."""

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the checkpoint, when the run ends within an epoch."""
        self.save(trainer)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing: a resumed run has a folder of its own, and no best weights."""

    def save(self, trainer: pl.Trainer) -> None:
        """Write the checkpoint now, unless that of this step is written."""
        if not self._should_skip_saving_checkpoint(trainer):  # nothing new, or a fast_dev_run
            self._save_last_checkpoint(trainer, {})
