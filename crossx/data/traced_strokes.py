"""Strokes for data sets whose sketches are pictures."""

import numpy as np
import numpy.typing as npt

from crossx.core.errors import InputError
from crossx.data.base import LabelledImages
from crossx.data.instances import InstanceData
from crossx.strokes.sequence import Strokes
from crossx.strokes.trace import pen_width, trace
from crossx.types import Modality, Split

_SIDE = 128
"""Side in pixels at which sketches are read to be traced, at least."""
_MEASURED = 50
"""Training sketches that the line width is measured on, at most: some seconds of a CPU."""


class TracedStrokes(InstanceData):
    """A data set of pictures, with the strokes that a tracer finds in its sketches, for a generator to learn from.

    Photos, sketches and splits are those of the data set. The order of strokes is the tracer's, and not the hand's.

    Args:
        dataset: Photos and sketches of instances, such as `PairedData` of `PairFolders`.
    """

    def __init__(self, dataset: InstanceData) -> None:
        self.dataset = dataset
        self.name, self.classes, self.size = dataset.name, dataset.classes, dataset.size
        self.separate_galleries = dataset.separate_galleries
        self._traced: dict[tuple[Split, int], Strokes] = {}
        self._width: float | None = None

    @property
    def held_out(self) -> int:  # type: ignore[override]  # known when the images are listed
        """Number of photos that were taken from the training photos for validation."""
        return self.dataset.held_out

    @property
    def split_hash(self) -> str:
        """The split of the data set: tracing changes no part."""
        return self.dataset.split_hash

    def images(self, modality: Modality, split: Split) -> LabelledImages:
        """The images of a modality and split.

        Raises:
            InputError: As the data set does.
        """
        return self.dataset.images(modality, split)

    def strokes(self, split: Split, i: int) -> Strokes:
        """Strokes of sketch i of a split as the tracer finds them, in [0, 1].

        Raises:
            InputError: When the sketch cannot be read or shows no line, or scikit-image is not installed.
        """
        if (split, i) not in self._traced:
            self._traced[split, i] = trace(self._picture(split, i))
            if not self._traced[split, i]:
                name = self.images("sketch", split).names[i]
                raise InputError(f"{self.name}: a sketch must show a line to be traced, got none in {name!r}")
        return self._traced[split, i]

    def line_width(self, size: int) -> float:
        """Mean width of the training sketches' lines, in pixels of an image whose side has `size` pixels."""
        if self._width is None:
            count = min(_MEASURED, len(self.images("sketch", "train")))
            widths = [pen_width(self._picture("train", i), self.strokes("train", i)) for i in range(count)]
            self._width = float(np.mean(widths)) / len(self._picture("train", 0))
        return max(1.0, self._width * size)

    def _picture(self, split: Split, i: int) -> npt.NDArray[np.uint8]:
        image = self.images("sketch", split).read(i, max(1, round(_SIDE / self.size)))
        grey: npt.NDArray[np.uint8] = image.float().mean(0).round().byte().numpy()
        return grey
