"""Interface of the sources of pseudo sketches."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.finegrained.types import FineGrainedBatch


@dataclass
class PseudoPairs:
    """Sketches for the unlabelled photos of a batch.

    Attributes:
        sketch: One sketch a photo, (F, 3, H, W) in [0, 1].
        certainty: How far each is trusted, (F,) in [0, 1].
    """

    sketch: Tensor
    certainty: Tensor


class PseudoSketches(nn.Module, ABC):
    """A source of sketches for unlabelled photos; it runs without gradient, on the device.

    The photos are those of the data set, before any random view.
    """

    @abstractmethod
    def draw(self, photos: Tensor, batch: FineGrainedBatch) -> Tensor:
        """Return a sketch for each unlabelled photo.

        Args:
            photos: The unlabelled photos of the batch, (F, 3, H, W) in [0, 1].
            batch: The whole batch.

        Returns:
            (F, 3, H, W) in [0, 1].
        """

    def certainty(self, sketches: Tensor, batch: FineGrainedBatch) -> Tensor:
        """Return how far each sketch is trusted, (F,) in [0, 1]; by default all are trusted fully.

        Args:
            sketches: What `draw` returned.
            batch: The whole batch.
        """
        return torch.ones(len(sketches), device=sketches.device)

    @torch.no_grad()
    def forward(self, batch: FineGrainedBatch) -> PseudoPairs:
        """Return sketches for the unlabelled photos of a batch.

        Raises:
            InputError: When the batch has no unlabelled photos.
        """
        if batch.free_photo is None:
            raise InputError(
                f"model.pseudo: {type(self).__name__} draws unlabelled photos, and the run has none; let the data "
                "module serve them, or set model.pseudo: null"
            )
        sketches = self.draw(batch.free_photo, batch)
        return PseudoPairs(sketches, self.certainty(sketches, batch))
