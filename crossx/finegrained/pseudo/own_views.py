"""Pseudo sketches that are the photo itself: the pair consists of two views of one photo, and nothing is drawn."""

from torch import Tensor

from crossx.finegrained.pseudo.base import PseudoSketches
from crossx.finegrained.types import FineGrainedBatch


class OwnViews(PseudoSketches):
    """The photo in place of its sketch: photo and sketch encoder agree on two random views of it.

    It is meant for photos that look like sketches, as the edge maps of QMUL V1 do, where it is the baseline to beat.
    """

    def draw(self, photos: Tensor, batch: FineGrainedBatch) -> Tensor:
        """Return the photos."""
        return photos


class GreyViews(PseudoSketches):
    """The grey photo in place of its sketch: `OwnViews` for photos in colours, which no sketch has."""

    def draw(self, photos: Tensor, batch: FineGrainedBatch) -> Tensor:
        """Return the photos with three equal channels."""
        return photos.mean(1, keepdim=True).expand_as(photos).contiguous()
