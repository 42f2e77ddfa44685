"""Sketches of one data set drawn as those of another."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from crossx.core.errors import InputError
from crossx.data.reader import ImageReader

_FINER = 4
"""How much finer than the result a drawing is worked on."""


class RestyledSketches(ImageReader):
    """Another reader's sketches, moved and redrawn: cut to the drawing, with lines of another width and darkness.

    A sketch classifier knows the pen of its training data as well as its classes: to one that learned from TU-Berlin,
    other data sets' lines are too wide, too dark and in the wrong place. The defaults were chosen by retrieval on
    labelled validation sketches of two data sets (docs/experiments.md).

    Args:
        reader: The other reader.
        margin: White around the drawing, as a share of the result's side, in [0, 0.5).
        line_width: What is added to the lines' width, in pixels of the result, 0 or more; steps are quarters.
        darkness: What dark lines become, in (0, 1]: 1 leaves them as they are.

    Raises:
        InputError: When the reader reads photos, or a number is out of range.
    """

    def __init__(
        self, reader: ImageReader, margin: float = 0.15, line_width: float = 0.5, darkness: float = 0.6
    ) -> None:
        super().__init__(reader.root, "sketch")
        if reader.modality != "sketch":
            raise InputError(
                f"RestyledSketches.reader: {type(reader).__name__} is not legal, it reads photos; one of sketches is"
            )
        if not 0 <= margin < 0.5:
            raise InputError(f"RestyledSketches.margin: {margin} is not legal; from 0, below 0.5")
        if not line_width >= 0:
            raise InputError(f"RestyledSketches.line_width: {line_width} is not legal; 0 or more")
        if not 0 < darkness <= 1:
            raise InputError(f"RestyledSketches.darkness: {darkness} is not legal; above 0, at most 1")
        self.reader = reader
        self.margin, self.line_width, self.darkness = margin, line_width, darkness

    def names(self, folder: str) -> list[str]:
        """Those of the other reader."""
        return self.reader.names(folder)

    def instances(self, names: Sequence[str]) -> list[str] | None:
        """Those of the other reader."""
        return self.reader.instances(names)

    def read(self, name: str, size: int) -> Tensor:
        """The sketch of that name in its new style, uint8 RGB, (3, S, S)."""
        ink = 1 - self.reader.read(name, _FINER * size)[:1].float() / 255
        ink = _centred(ink)
        inner = max(1, round(_FINER * size * (1 - 2 * self.margin)))
        ink = F.interpolate(ink[None], (inner, inner), mode="bicubic", antialias=True)[0]
        before = (_FINER * size - inner) // 2
        after = _FINER * size - inner - before
        ink = F.pad(ink, (before, after, before, after))
        reach = round(self.line_width * _FINER)
        if reach:  # a window of reach + 1 pixels; an odd rest stands on one side
            ink = F.pad(ink, (reach // 2, reach - reach // 2, reach // 2, reach - reach // 2))
            ink = F.max_pool2d(ink, reach + 1, stride=1)
        small = F.interpolate(ink[None], (size, size), mode="area")[0].clamp(0, 1) * self.darkness
        return (255 * (1 - small)).round().byte().expand(3, -1, -1).contiguous()


def _centred(ink: Tensor) -> Tensor:
    """The smallest square around what is drawn, (1, H, W) to (1, S, S); an empty sheet stays as it is."""
    drawn = (ink[0] > 0.25).nonzero()
    if len(drawn) == 0:
        return ink
    (top, left), (bottom, right) = drawn.min(0).values.tolist(), (drawn.max(0).values + 1).tolist()
    cut = ink[:, top:bottom, left:right]
    tall, wide = bottom - top, right - left
    side = max(tall, wide)
    left_pad, top_pad = (side - wide) // 2, (side - tall) // 2
    return F.pad(cut, (left_pad, side - wide - left_pad, top_pad, side - tall - top_pad))
