"""Export of the encoders of a run as plain tensors, which are safe to load."""

import json

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from torch import nn

from crossx.core.paths import starting_folders
from crossx.core.tensor_files import write_safetensors
from crossx.core.version import __version__
from crossx.encoding.specs import encoder_specs
from crossx.networks.batch_norm import average_running_statistics
from crossx.pixels.pen import Pen
from crossx.training.guided import TeacherGuided
from crossx.training.hashes import teacher_hashes
from crossx.training.lightning_state import run_folder
from crossx.training.module import CrossxModule
from crossx.training.retrieval import RetrievalModule
from crossx.types import Modality

ENCODERS = "encoders.safetensors"


class EncoderExport(Callback):
    """Writes `encoders.safetensors` into the run folder when a fit ends: the last weights of both encoders.

    The tensors begin with `photo_encoder.` and `sketch_encoder.`; the frozen teachers inside encoders are left out. The
    header has `version`, `step`, `teachers` (hashes), `classes`, `pen` (of the sketch teacher, or null), `config`
    (class and arguments of the encoders, where the command line built them), `files` (names of the teachers' files and
    aliases) and `folders` (where relative names belong to), all but the first two as JSON.
    """

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make the encoders of all processes the same, while processes can still talk to each other."""
        for encoder in encoders_of(pl_module).values():
            average_running_statistics(encoder)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the file."""
        folder, encoders = run_folder(trainer), encoders_of(pl_module)
        if folder is None or not encoders or not trainer.is_global_zero:
            return
        tensors = {
            f"{modality}_encoder.{name}": tensor
            for modality, encoder in encoders.items()
            for name, tensor in encoder.state_dict().items()
        }
        teachers = pl_module.teachers if isinstance(pl_module, TeacherGuided) else None
        config = pl_module.run_config if isinstance(pl_module, CrossxModule) else {}
        metadata = {
            "version": __version__,
            "step": str(trainer.global_step),
            "teachers": json.dumps(teacher_hashes(pl_module)),
            "classes": json.dumps(() if teachers is None else teachers.vocabulary.union),
            "pen": json.dumps(None if teachers is None else Pen.plain(teachers.sketch.card.pen)),
            "config": json.dumps(encoder_specs(config.get("model", {}))),
            "files": json.dumps(config.get("teachers")),
            "folders": json.dumps(starting_folders()),
        }
        write_safetensors(folder / ENCODERS, tensors, metadata)


def encoders_of(module: pl.LightningModule) -> dict[Modality, nn.Module]:
    """The encoders of a root module by modality; empty where it has none."""
    return module.encoders if isinstance(module, RetrievalModule) else {}
