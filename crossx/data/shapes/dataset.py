"""Shapes: procedural photo-like images and hand-like sketches of ten everyday objects.

The quickstart, the tests and demos use this data set, which needs no download and no files. A photo fills the parts of
an object (colour, texture, light, shadow, clutter, viewpoint, camera); a sketch draws their outlines imprecisely and
leaves parts out. The class is visible in the shape only: colours, textures, backgrounds, line widths, viewpoints and
scales have the same distributions for all classes.

There are two difficulties. In `hard` a photo and its sketches share the proportions of an object and little else,
which suits retrieval of a class. In `fine` the sketch is drawn from the photo's viewpoint, as in the public sets for
retrieval of the very photo.
"""

import hashlib
import json
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crossx.core.checks import must_be_one_of
from crossx.core.errors import InputError
from crossx.data.base import LabelledImages
from crossx.data.disk_cache import drawn_once
from crossx.data.instances import InstanceData
from crossx.data.shapes.detail import DETAILS, DetailName
from crossx.data.shapes.objects import PROGRAMS, Part, draw_object
from crossx.data.shapes.photo import render_photo
from crossx.data.shapes.sketch import draw_sketch
from crossx.data.shapes.viewpoint import Viewpoint
from crossx.strokes.raster import rasterise
from crossx.strokes.sequence import Strokes
from crossx.types import Modality, Split

FORMAT = 1
"""Version of the drawings; increased whenever the same arguments give other images."""
FINE_FORMAT = 1
"""The same for the drawings of `fine`."""

_SPLITS: tuple[Split, ...] = get_args(Split)
_OBJECT, _PHOTO, _SKETCH, _PEN = range(4)
_VIEW = 4  # the place of the object's second copy, which does not exist


class ShapesDataset(InstanceData):
    """Procedural photos and sketches of ten objects; see the description of the module.

    An image is a pure function of (seed, split, class, instance): other counts do not change it, and another size shows
    the same scene. A photo and the sketches of one instance show an object of the same proportions.

    Args:
        size: Side of the images in pixels, at least 16.
        seed: Seed of all images, in [0, 2^64).
        train: Instances of each class for training.
        validation: Instances of each class for validation.
        test: Instances of each class for test.
        sketches: Sketches for each instance, at least 1.
        cache: Keep drawn images in memory; the default 8,000 at 32 px take 25 MB.
        detail: How much a sketch differs from the photo of its object; see `crossx.data.shapes.detail`.
        cache_to_disk: Folder for drawn images, one file for each part, which later runs read; None draws them anew in
            each run.

    Raises:
        InputError: When an argument is out of its range.
    """

    classes = tuple(PROGRAMS)

    def __init__(
        self,
        size: int = 32,
        seed: int = 0,
        train: int = 300,
        validation: int = 40,
        test: int = 60,
        sketches: int = 1,
        cache: bool = True,
        detail: DetailName = "hard",
        cache_to_disk: str | None = None,
    ) -> None:
        must_be_one_of("detail", detail, DETAILS)
        counts: dict[Split, int] = {"train": train, "validation": validation, "test": test}
        for field, value, least in [
            ("size", size, 16),
            ("seed", seed, 0),
            ("sketches", sketches, 1),
            *((split, count, 0) for split, count in counts.items()),
        ]:
            if not least <= value < 2**64:
                raise InputError(f"{field}: must be in [{least}, 2^64), got {value}")
        self.size = size
        self.seed = seed
        self.counts = counts
        self.sketches = sketches
        self.cache = cache
        self.name = "shapes" if detail == "hard" else f"shapes-{detail}"
        self.detail: DetailName = detail
        self.cache_to_disk = cache_to_disk

    def images(self, modality: Modality, split: Split) -> "ShapesImages":
        """The photos or sketches of a split, ordered by class, instance and sketch.

        Raises:
            InputError: When the split has no instances.
        """
        return ShapesImages(self, modality, split)

    def strokes(self, split: Split, i: int) -> Strokes:
        """The strokes of sketch i of a split, in drawing order, in [0, 1].

        Raises:
            InputError: When the split has no sketch i.
        """
        total = len(self.classes) * self.counts[split] * self.sketches
        if not 0 <= i < total:
            raise InputError(f"i: must be the index of one of the {total} {split} sketches, got {i}")
        instance, copy = divmod(i, self.sketches)
        rng = self._random(split, instance, _SKETCH, copy)
        return draw_sketch(self._object(split, instance), rng, DETAILS[self.detail], self._viewpoint(split, instance))

    def line_width(self, size: int) -> float:
        """Mean width of the sketches' lines, in pixels of an image whose side has `size` pixels."""
        return sum(_PENS) / 2 * _wider(size)

    @property
    def split_hash(self) -> str:
        """SHA-256 (hex) of format version, seed, counts and classes."""
        content = [FORMAT, self.seed, self.counts, self.sketches, self.classes]
        if self.detail != "hard":  # so that the hash of `hard` is what it was before there was another
            content += [self.detail, FINE_FORMAT]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _object(self, split: Split, instance: int) -> list[Part]:
        name = self.classes[instance // self.counts[split]]
        return draw_object(name, self._random(split, instance, _OBJECT))

    def _viewpoint(self, split: Split, instance: int) -> Viewpoint | None:
        """The camera's viewpoint where photo and sketches share it, else None."""
        detail = DETAILS[self.detail]
        return Viewpoint.draw(self._random(split, instance, _VIEW), detail.extent) if detail.photo_view else None

    def _photo(self, split: Split, instance: int, size: int) -> npt.NDArray[np.uint8]:
        parts, rng = self._object(split, instance), self._random(split, instance, _PHOTO)
        return render_photo(parts, size, rng, DETAILS[self.detail], self._viewpoint(split, instance))

    def _random(self, split: Split, instance: int, purpose: int, copy: int = 0) -> np.random.Generator:
        """Random generator for one draw of one instance, which is counted over all classes of a split."""
        label, number = divmod(instance, self.counts[split])
        # Philox is counter-based: each of these counters starts an independent stream of 2^64 blocks.
        counter = [0, number, label * len(_SPLITS) + _SPLITS.index(split), copy * 4 + purpose]
        return np.random.Generator(np.random.Philox(key=self.seed, counter=counter))


class ShapesImages(LabelledImages):
    """Photos or sketches of one split of a `ShapesDataset`."""

    def __init__(self, data: ShapesDataset, modality: Modality, split: Split) -> None:
        self.data = data
        self.split: Split = split
        self.copies = data.sketches if modality == "sketch" else 1
        count = data.counts[split]
        instances = [f"{split}/{name}/{number:04d}" for name in data.classes for number in range(count)]
        super().__init__(
            modality,
            data.classes,
            labels=np.arange(len(data.classes)).repeat(count * self.copies),
            names=[f"{modality}/{instance}-{copy}" for instance in instances for copy in range(self.copies)],
            instances=[instance for instance in instances for _ in range(self.copies)],
            cache=data.cache and data.cache_to_disk is None,  # the file is mapped into memory
        )
        self._mapped: npt.NDArray[np.uint8] | None = None

    def image(self, i: int) -> Tensor:
        """Image i as uint8 RGB, (3, S, S), from the file of drawn images where there is one."""
        if self.data.cache_to_disk is None:
            return super().image(i)
        if self._mapped is None:
            data, channels = self.data, 3 if self.modality == "photo" else 1  # a sketch has three equal ones
            name = f"shapes-{data.split_hash[:16]}-{data.size}-{self.split}-{self.modality}.npy"
            self._mapped = drawn_once(
                Path(data.cache_to_disk or "") / name,
                (len(self), channels, data.size, data.size),
                lambda i: self.read(i)[:channels],
            )
        return torch.tensor(self._mapped[i]).expand(3, -1, -1).contiguous()

    def read(self, i: int, scale: int = 1) -> Tensor:
        """Draw image i: uint8 RGB, (3, scale * S, scale * S); with a scale the same drawing, and not finer lines."""
        data, size = self.data, self.data.size
        instance, copy = divmod(i, self.copies)
        if self.modality == "photo":
            photo = data._photo(self.split, instance, scale * size)
            return torch.tensor(photo).permute(2, 0, 1).contiguous()
        width = data._random(self.split, instance, _PEN, copy).uniform(*_PENS) * _wider(size)
        sketch = rasterise(data.strokes(self.split, i), scale * size, scale * width)
        return torch.tensor(sketch).expand(3, -1, -1).clone()


_PENS = (1.2, 2.0)
"""Thinnest and widest line at 32 px, in pixels."""


def _wider(size: int) -> float:
    """Factor of the line width: wide enough to be visible at 32 px, and relatively finer on larger images."""
    return float(max(1.0, (size / 32) ** 0.5))
