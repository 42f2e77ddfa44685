"""The resolved config in the run folder, whatever logger a run has."""

import lightning.pytorch as pl
from lightning.pytorch.cli import SaveConfigCallback

from crossx.core.tensor_files import write_text
from crossx.training.lightning_state import run_folder


class SavedConfig(SaveConfigCallback):
    """Writes `config.yaml` into the run folder; Lightning's own takes the folder that all runs of a logger share."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write it once, on the first process."""
        folder = run_folder(trainer)  # all processes are asked
        if self.already_saved or folder is None:
            return
        self.already_saved = True
        if trainer.is_global_zero:
            folder.mkdir(parents=True, exist_ok=True)
            # Checked when it was parsed: to check it again takes half a second.
            text = self.parser.dump(self.config, skip_none=False, skip_validation=True)
            write_text(folder / self.config_filename, text)
