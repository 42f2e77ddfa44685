"""When pictures are made: after each validation, so that they cost nothing in between."""

from abc import ABC, abstractmethod
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from crossx.training.lightning_state import run_folder


class AfterValidation(Callback, ABC):
    """Base of callbacks that show how a fit is doing: after each validation, or each epoch where nothing is validated.

    The validation of the last weights that follows a fit belongs to it.
    """

    def __init__(self) -> None:
        self._fitted = False

    @abstractmethod
    def show(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Write what there is to see; called on the first process only.

        Args:
            trainer: The trainer.
            module: The root module.
            folder: The run folder.
        """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """A validation on its own has nothing to show of a fit."""
        self._fitted = self._fitted or stage == "fit"

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show, unless it was a sanity check."""
        if self._fitted and not trainer.sanity_checking:
            self._show(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show, where there is no validation."""
        if not sum(trainer.num_val_batches):
            self._show(trainer, pl_module)

    def _show(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        folder = run_folder(trainer)  # all processes are asked, the first one shows
        if folder is not None and trainer.is_global_zero:
            self.show(trainer, module, folder)


def step_name(trainer: pl.Trainer) -> str:
    """Name of a file that belongs to the present step; names sort as steps do."""
    return f"step_{trainer.global_step:07d}"
