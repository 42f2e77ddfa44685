"""Pictures of drawings in the place of photos: to train a generator of drawings on strokes without photos."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox
from crossx.data.base import LabelledImages
from crossx.data.coloured import coloured
from crossx.data.instances import InstanceData
from crossx.pixels.fit import repeat_grey
from crossx.strokes.quickdraw import line_width
from crossx.strokes.raster import rasterise
from crossx.strokes.sequence import Strokes
from crossx.types import Modality, Split

Look = Literal["lines", "coloured"]


class DrawnPhotos(InstanceData):
    """The sketches of a data set, each with a picture of itself as its photo; no real photo is read.

    "More Photos are All You Need" (arXiv 2103.13990) trains its generator first on sketches alone, with the rasterised
    sketch as the photo.

    Args:
        dataset: Data set with strokes.
        look: `lines`: the sketch itself, as published. `coloured`: its outlines filled at random before a random
            background, which is nearer to a photo; see `crossx.data.coloured`.
        looks: Coloured pictures of each sketch that a run draws from, at least 1.

    Raises:
        InputError: When the look is unknown or `looks` is below 1.
    """

    def __init__(self, dataset: InstanceData, look: Look = "coloured", looks: int = 1) -> None:
        must_be_one_of("DrawnPhotos.look", look, ("lines", "coloured"))
        must_be_in("DrawnPhotos.looks", looks, "[1, inf)")
        self.dataset = dataset
        self.look: Look = look
        self.looks = looks if look == "coloured" else 1
        self.name, self.classes, self.size = f"{dataset.name}-strokes", dataset.classes, dataset.size

    def images(self, modality: Modality, split: Split) -> "DrawnImages":
        """Pictures, or the sketches themselves."""
        return DrawnImages(self, modality, split)

    def strokes(self, split: Split, i: int) -> Strokes:
        """Strokes of the sketch of picture i.

        Raises:
            InputError: When the data set has images only.
        """
        found = self.dataset.strokes(split, i // self.looks)
        if found is None:
            raise InputError(f"DrawnPhotos.dataset: must have strokes, got {self.dataset.name} with images only")
        return found

    @property
    def split_hash(self) -> str:
        """The hash of the data set, because the pictures follow from it."""
        return f"{self.dataset.split_hash}-{self.look}-{self.looks}"


class DrawnImages(LabelledImages):
    """Pictures or sketches of one split of `DrawnPhotos`."""

    def __init__(self, data: DrawnPhotos, modality: Modality, split: Split) -> None:
        sketches = data.dataset.images("sketch", split)
        names = [f"{name}@{look}" for name in sketches.names for look in range(data.looks)]
        super().__init__(
            modality, sketches.classes, sketches.labels.repeat(data.looks), names, instances=names, cache=True
        )
        self._data, self._split, self._sketches = data, split, sketches

    def read(self, i: int, scale: int = 1) -> Tensor:
        """Draw picture i, uint8 RGB, (3, scale * S, scale * S)."""
        data = self._data
        if self.modality == "sketch":
            return self._sketches.read(i // data.looks, scale)
        size, strokes = data.size * scale, data.strokes(self._split, i)
        if data.look == "lines":
            return torch.from_numpy(repeat_grey(rasterise(strokes, size, line_width(size))))
        # The same picture in every run: only which ones a batch has depends on the seed.
        splits: tuple[Split, ...] = ("train", "validation", "test")
        picture = coloured(strokes, size, philox(splits.index(self._split), i, Stream.COLOURED))
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
