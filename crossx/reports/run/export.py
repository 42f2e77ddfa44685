"""The encoders of a run as a file that nobody has to trust."""

import json
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from crossx.core.tensor_files import write_safetensors
from crossx.core.version import __version__
from crossx.encoding.module import EncoderModule
from crossx.training.lightning_state import run_folder
from crossx.training.module import teacher_hashes

ENCODERS = "encoders.safetensors"


class EncoderExport(Callback):
    """Writes `encoders.safetensors` into the run folder when a fit ends: the last weights of both encoders.

    The tensors are those of `photo_encoder.` and `sketch_encoder.`, without the frozen teachers that encoders may look
    through. The header has `version`, `step`, `teachers` (their hashes), `classes` and `config` (what the encoders were
    built from, where the command line built them), the last three as JSON.
    """

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the file."""
        folder, encoding = run_folder(trainer), encoders_of(pl_module)
        if folder is None or encoding is None or not trainer.is_global_zero:
            return
        tensors = {
            f"{side}.{name}": tensor
            for side in ("photo_encoder", "sketch_encoder")
            for name, tensor in getattr(encoding, side).state_dict().items()
        }
        metadata = {
            "version": __version__,
            "step": str(trainer.global_step),
            "teachers": json.dumps(teacher_hashes(pl_module)),
            "classes": json.dumps(encoding.teachers.vocabulary.union),
            "config": json.dumps(_encoder_config(pl_module)),
        }
        write_safetensors(folder / ENCODERS, tensors, metadata)


def encoders_of(module: pl.LightningModule) -> EncoderModule | None:
    """The encoders' side of a root module; None where there is none."""
    encoding = getattr(module, "encoding", module)  # a joint run's, or the root itself
    return encoding if isinstance(encoding, EncoderModule) else None


def _encoder_config(module: pl.LightningModule) -> dict[str, Any]:
    config = getattr(module, "run_config", {}).get("model", {}).get("init_args", {})
    config = config.get("encoding", {}).get("init_args", config)
    return {side: config[side] for side in ("photo_encoder", "sketch_encoder") if side in config}
