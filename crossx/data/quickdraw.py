"""Drawings of Quick, Draw! as released, as strokes, in one file for each word.

"A Neural Representation of Sketch Drawings", Ha and Eck, 2017, arXiv 1704.03477.
"""

import json
from itertools import accumulate

import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.data.reader import ImageReader
from crossx.pixels.fit import repeat_grey
from crossx.strokes.quickdraw import MARGIN, line_width, parse_strokes
from crossx.strokes.raster import rasterise
from crossx.strokes.sequence import Strokes, fit_unit_square


class QuickDrawStrokes(ImageReader):
    """Simplified drawings, `simplified/<word>.ndjson`, one JSON object on each line, rasterised at the requested size.

    Image `cat/0` is the first line of `cat.ndjson`.

    Args:
        root: Folder that holds `simplified`; relative to the data root, or absolute.
    """

    def __init__(self, root: str = "quickdraw") -> None:
        super().__init__(f"{root}/simplified", "sketch")
        self._offsets: dict[str, list[int]] = {}  # byte offset of each line of a word's file

    def names(self, folder: str) -> list[str]:
        """Names of a word's drawings, one for each line of its file.

        Raises:
            InputError: When there is no file of that word, or it is empty.
        """
        path = self.path / f"{folder}.ndjson"
        if not path.is_file():
            raise self.missing(path)
        with path.open("rb") as lines:
            self._offsets[folder] = [0, *accumulate(len(line) for line in lines)][:-1]
        if not self._offsets[folder]:
            raise InputError(f"{path}: must hold a drawing on each line, got an empty file")
        return [f"{folder}/{i}" for i in range(len(self._offsets[folder]))]

    def strokes(self, name: str) -> Strokes:
        """Strokes of a drawing, fitted into the unit square: x to the right and y down, in [0.05, 0.95].

        Raises:
            InputError: When the line is not a drawing.
        """
        word, _, line = name.rpartition("/")
        if word not in self._offsets:
            self.names(word)
        path = self.path / f"{word}.ndjson"
        with path.open("rb") as file:
            file.seek(self._offsets[word][int(line)])
            text = file.readline()
        try:
            return fit_unit_square(parse_strokes(json.loads(text)["drawing"]), MARGIN)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise InputError(
                f"{path}: line {int(line) + 1} is not a simplified drawing "
                f'{{"drawing": [[[x, ...], [y, ...]], ...]}} ({type(error).__name__}: {error})'
            ) from error

    def read(self, name: str, size: int) -> Tensor:
        """Rasterise a drawing in black on white, uint8 RGB, (3, S, S)."""
        return torch.from_numpy(repeat_grey(rasterise(self.strokes(name), size, line_width(size))))
