"""Callbacks that run after each validation, so that nothing is computed in between."""

from abc import ABC, abstractmethod
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from crossx.reports.fixed import FixedPairs
from crossx.reports.present_module import PresentModule
from crossx.training.lightning_state import run_folder


class AfterValidation(Callback, ABC):
    """Base of callbacks that show a fit after each validation, or after each epoch of a fit without validation.

    The validation of the last weights, which follows a fit, belongs to the fit.

    Attributes:
        every: The fit is shown after every so many validations, and always at its end.
        fixed: Pairs of fixed latents; the reports of a run share one object.
    """

    def __init__(self) -> None:
        self.every = 1
        self.fixed = FixedPairs()
        self._fitted = False
        self._validations = 0
        self._module = PresentModule()

    @abstractmethod
    def show(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Write files or logs; called on the first process only.

        Args:
            trainer: The trainer.
            module: The root module.
            folder: The run folder.
        """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Note whether there is a fit to show: a validation on its own has none, nor has that of another module."""
        self.fixed.clear()
        if self._module.is_another(pl_module):
            self._fitted, self._validations = False, 0
            self.forget()
        self._fitted = self._fitted or stage == "fit"

    def forget(self) -> None:
        """Forget what is known of a module, because another one comes; what a checkpoint holds is loaded after this."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the fit, except after a sanity check."""
        if self._fitted and not trainer.sanity_checking:
            self._show_when_due(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the fit, where there is no validation."""
        if not sum(trainer.num_val_batches):
            self._show_when_due(trainer, pl_module)

    def _show_when_due(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._validations += 1
        if self._validations % self.every == 0 or at_end(trainer):
            self._show(trainer, module)

    def _show(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        folder = run_folder(trainer)  # all processes are asked, the first one shows
        if folder is not None and trainer.is_global_zero:
            self.show(trainer, module, folder)


def at_end(trainer: pl.Trainer) -> bool:
    """Whether a fit has done its last step, or is over."""
    steps_done = trainer.global_step == trainer.max_steps
    epochs_done = trainer.current_epoch + 1 == trainer.max_epochs
    return trainer.state.fn != "fit" or steps_done or epochs_done


def step_name(trainer: pl.Trainer) -> str:
    """Name of a file that belongs to the present step; names sort as steps do."""
    return f"step_{trainer.global_step:07d}"
