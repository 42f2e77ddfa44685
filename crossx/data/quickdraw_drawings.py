"""Drawings of Quick, Draw! without photos: strokes to pre-train a generator of drawings."""

import hashlib
import json
from collections.abc import Sequence

from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.data.base import LabelledImages
from crossx.data.instances import InstanceData
from crossx.data.quickdraw import QuickDrawStrokes
from crossx.data.split_file import tenth
from crossx.strokes.sequence import Strokes
from crossx.types import Modality, Split

_TENTHS: dict[Split, range] = {"train": range(8), "validation": range(8, 9), "test": range(9, 10)}
"""Tenths of the drawings that are in each split."""


class QuickDrawDrawings(InstanceData):
    """Drawings of words of Quick, Draw!, each of which is its own photo; see `DrawnPhotos`.

    Which split a drawing is in follows from a hash of its name.

    Args:
        words: Words, each a file `simplified/<word>.ndjson`.
        root: Folder that holds `simplified`; relative to the data root, or absolute.
        size: Side of the images in pixels, at least 16.

    Raises:
        InputError: When there is no word, or the size is too small.
    """

    name = "quickdraw"

    def __init__(self, words: Sequence[str], root: str = "quickdraw", size: int = 64) -> None:
        if not words:
            raise InputError("QuickDrawDrawings.words: must have at least one word, got none")
        must_be_in("QuickDrawDrawings.size", size, "[16, inf)")
        self.classes = tuple(words)
        self.size = size
        self.reader = QuickDrawStrokes(root)
        self._names: dict[Split, list[str]] = {}

    def images(self, modality: Modality, split: Split) -> "QuickDrawImages":
        """Drawings of a split, by word and then in the order of the file; the same for both modalities."""
        return QuickDrawImages(self, modality, self.names(split))

    def names(self, split: Split) -> list[str]:
        """Names of the drawings of a split."""
        if split not in self._names:
            names = [name for word in self.classes for name in self.reader.names(word)]
            self._names[split] = [name for name in names if tenth(name) in _TENTHS[split]]
        return self._names[split]

    def strokes(self, split: Split, i: int) -> Strokes:
        """Strokes of drawing i of a split, in the unit square."""
        return self.reader.strokes(self.names(split)[i])

    @property
    def split_hash(self) -> str:
        """SHA-256 (hex) of the names of all splits."""
        names = {split: self.names(split) for split in _TENTHS}
        return hashlib.sha256(json.dumps(names).encode()).hexdigest()


class QuickDrawImages(LabelledImages):
    """Drawings of one split as images."""

    def __init__(self, data: QuickDrawDrawings, modality: Modality, names: list[str]) -> None:
        labels = [data.classes.index(name.rpartition("/")[0]) for name in names]
        super().__init__(modality, data.classes, labels, names, instances=names, cache=True)
        self._data = data

    def read(self, i: int, scale: int = 1) -> Tensor:
        """Rasterise drawing i, uint8 RGB, (3, scale * S, scale * S)."""
        return self._data.reader.read(self.names[i], scale * self._data.size)
