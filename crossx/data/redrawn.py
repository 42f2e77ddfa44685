"""Data sets whose sketches are redrawn with a pen."""

from torch import Tensor

from crossx.data.base import LabelledImages, RetrievalData
from crossx.pixels.pen import FINER, Pen
from crossx.types import Modality, Split


def redrawn(data: RetrievalData, pen: Pen | None) -> RetrievalData:
    """The data set with its sketches redrawn, or the data set itself where there is no pen that redraws."""
    return RedrawnData(data, pen) if pen is not None and pen.redraws else data


class RedrawnData(RetrievalData):
    """The photos of a data set as they are, and its sketches redrawn for the classifier or encoder that gets them.

    Args:
        data: The data set.
        pen: The pen of that classifier, or of the one that the encoder started from.
    """

    def __init__(self, data: RetrievalData, pen: Pen) -> None:
        self.data, self.pen = data, pen
        self.name, self.classes, self.size = data.name, data.classes, data.size

    def images(self, modality: Modality, split: Split) -> LabelledImages:
        """The images of a modality and split.

        Raises:
            InputError: As the data set does.
        """
        images = self.data.images(modality, split)
        return images if modality == "photo" else RedrawnSketches(images, self.pen)

    @property
    def split_hash(self) -> str:
        """The split of the data set: a pen changes lines, and not which image is in which part."""
        return self.data.split_hash


class RedrawnSketches(LabelledImages):
    """Sketches of one split, redrawn with a pen.

    Args:
        images: The sketches.
        pen: The pen.
    """

    def __init__(self, images: LabelledImages, pen: Pen) -> None:
        super().__init__("sketch", images.classes, images.labels, images.names, images.instances, cache=images.cache)
        self.images, self.pen = images, pen

    def read(self, i: int, scale: int = 1) -> Tensor:
        """Read sketch i at a higher resolution and redraw it, uint8 RGB, (3, scale * S, scale * S)."""
        return self.pen.redraw(self.images.read(i, scale * FINER))
