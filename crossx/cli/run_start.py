"""Start of a run: writing its config, and printing the step at which a resumed run goes on."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.cli import SaveConfigCallback

from crossx.core.atomic import write_text
from crossx.training.lightning_state import count_logged_steps, own_folder, run_folder


class RunStart(SaveConfigCallback):
    """Callback that writes `config.yaml` into the run folder, and prints the step at which a resumed run goes on.

    Lightning's own takes the folder that all runs of a logger share, and writes before the run has opened its data: a
    command that fails there would leave a folder with nothing else in it.

    Args:
        resumed_from: The checkpoint that a fit goes on from.
        config: What Lightning gives: parser and config.
    """

    def __init__(self, *config: Any, resumed_from: Path | None = None) -> None:  # noqa: ANN401 - Lightning's
        super().__init__(*config)
        self.resumed_from = resumed_from
        self._first = True

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write nothing yet, because the data may be missing."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the config, and print the step at which a resumed run goes on."""
        self._save(trainer)
        if self.resumed_from is not None and trainer.is_global_zero:
            print(f"resumed at step {trainer.global_step} from {self.resumed_from}", flush=True)  # noqa: T201

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        """Log the first batch of a resumed run at the step where the run that was killed would have."""
        if self.resumed_from is not None and self._first:
            count_logged_steps(trainer)
        self._first = False

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say that a fit had nothing to train: its table would pass for one of a training."""
        if self._first and trainer.is_global_zero:
            length = f"trainer.max_steps is {trainer.max_steps}"
            if trainer.max_steps == -1:
                length = f"trainer.max_epochs is {trainer.max_epochs}"
            print(f"trained nothing: {trainer.global_step} steps are done, and {length}", flush=True)  # noqa: T201

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the config."""
        self._save(trainer)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the config."""
        self._save(trainer)

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the config."""
        self._save(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Take away the folder of a run that failed before it wrote a file, so that no version number is used up."""
        folder = own_folder(trainer)
        if trainer.is_global_zero and folder is not None and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            with suppress(OSError):  # there are other runs of this name
                folder.parent.rmdir()

    def _save(self, trainer: pl.Trainer) -> None:
        if self.already_saved:
            return
        self.already_saved = True
        folder = run_folder(trainer)  # all processes are asked
        if folder is not None and trainer.is_global_zero:
            folder.mkdir(parents=True, exist_ok=True)
            config = self.config.clone()
            config["ckpt_path"] = None  # legal on the command line alone; the file is to run again as it is
            # Checked when it was parsed: to check it again takes half a second.
            text = self.parser.dump(config, skip_none=False, skip_validation=True)
            write_text(folder / self.config_filename, text)
