"""Running the torch encoders of an encoder folder."""

from functools import lru_cache
from pathlib import Path

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


@lru_cache(maxsize=1)  # both encoders of a folder share their teachers
def _stored(folder: Path, card_hash: str) -> StoredEncoders:  # noqa: ARG001 - another card, another entry of the cache
    return load_encoders(folder)
