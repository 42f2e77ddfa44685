"""Drawings of the bank as the pseudo sketches that the encoders learn from."""

import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.finegrained.joint.bank import SketchBank, decode_drawings
from crossx.finegrained.pseudo.base import PseudoSketches
from crossx.finegrained.rendering import images_of
from crossx.finegrained.types import FineGrainedBatch


class BankSketches(PseudoSketches):
    """What the generator of a joint run has drawn of the unlabelled photos, weighed by certainty.

    The joint run makes it and fills the bank before each step of the encoders.

    Args:
        bank: The drawings.
        weighted: Whether drawings are weighed by their certainties; otherwise all are trusted.
    """

    def __init__(self, bank: SketchBank, weighted: bool) -> None:
        super().__init__()
        self.bank = bank
        self.weighted = weighted

    def draw(self, photos: Tensor, batch: FineGrainedBatch) -> Tensor:
        """Return the drawings, mirrored where their photos are."""
        five = decode_drawings(self.bank.get(_instances(batch)), scale=1.0)
        return mirrored(
            images_of(five.rows, five.length, five.scale, photos.shape[-1], batch.line_width), batch.free_flip
        )

    def certainty(self, sketches: Tensor, batch: FineGrainedBatch) -> Tensor:
        """Return the certainties that the drawings got when they were drawn."""
        return self.bank.get(_instances(batch)).certainty if self.weighted else super().certainty(sketches, batch)


def mirrored(images: Tensor, flip: Tensor | None) -> Tensor:
    """Mirror some images, (B, 3, H, W), left to right; which ones, (B,) bool, or None for none."""
    return images if flip is None else torch.where(flip.view(-1, 1, 1, 1), images.flip(3), images)


def _instances(batch: FineGrainedBatch) -> Tensor:
    if batch.free_instance is None:
        raise InputError("model.encoding: learns from drawings of unlabelled photos, and the run has none")
    return batch.free_instance
