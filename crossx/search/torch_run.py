"""Running the torch encoders of an encoder folder."""

from functools import lru_cache
from pathlib import Path

import torch

from crossx.core.errors import InputError
from crossx.pixels.fit import U8
from crossx.search.parity import torch_embed
from crossx.search.predictor import Embedded, Run
from crossx.search.stored import StoredEncoders, load_encoders
from crossx.types import Modality


def torch_run(folder: Path, card_hash: str, modality: Modality, device: str) -> Run:
    """Load the encoder of a modality.

    Args:
        folder: The encoder folder.
        card_hash: Hash of its card.
        modality: Modality of the images.
        device: Device that it runs on.
    """
    encoder = _stored(folder.resolve(), card_hash).of(modality).to(device)

    def run(images: U8) -> Embedded:
        return torch_embed(encoder, images, device)

    return run


def check_device(device: str) -> None:
    """Refuse a device that torch cannot compute on, before any work is done for it.

    Args:
        device: Name of the device, such as `cuda` or `cuda:1`.

    Raises:
        InputError: When there is none of this name.
    """
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:  # AssertionError is that of a torch without GPUs
        seen = torch.cuda.device_count()
        others = f"one of cuda:0 to cuda:{seen - 1}" if seen else "cuda where torch sees a GPU, which it does not here"
        raise InputError(f"device: must be cpu, or {others}, got {device!r}") from error


@lru_cache(maxsize=1)  # both encoders of a folder share their teachers
def _stored(folder: Path, card_hash: str) -> StoredEncoders:  # noqa: ARG001 - another card, another entry of the cache
    return load_encoders(folder)
