"""What the losses of the encoders see, and what such a loss is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from crossx.objective import WeightedTerm


@dataclass
class PairEmbeddings:
    """Embedded pairs, row i of everything belonging to pair i, with what the teachers say of their images.

    Attributes:
        photo: Photo embeddings of unit length, (B, D).
        sketch: Sketch embeddings of unit length, (B, D).
        photo_posterior: The photo teacher's posterior over the union, (B, U), rows sum to 1.
        sketch_posterior: The sketch teacher's posterior over the union, (B, U), rows sum to 1.
        target: Wanted (or, with data, true) class as an index into the union, (B,) int64.
    """

    photo: Tensor
    sketch: Tensor
    photo_posterior: Tensor
    sketch_posterior: Tensor
    target: Tensor


class EncodingLoss(nn.Module, ABC):
    """A loss of the encoders; the mean of both directions, sketch to photo and photo to sketch."""

    @abstractmethod
    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return a scalar with gradient with respect to the embeddings."""


EncodingTerm = WeightedTerm[EncodingLoss]
"""A loss of the encoders with its weight and ramp, as a module's `terms` take it."""
