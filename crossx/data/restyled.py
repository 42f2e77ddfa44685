"""Sketches redrawn with another line width, darkness and margin."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.data.reader import ImageReader

_FINER = 4
"""Factor by which the working resolution exceeds that of the result."""


class RestyledSketches(ImageReader):
    """Sketches of another reader, cropped to the drawing and redrawn with lines of another width and darkness.

    Sketch classifiers overfit to the stroke style of their training set: for a classifier trained on TU-Berlin, the
    lines of other data sets are too wide, too dark and in the wrong place. The defaults were chosen by retrieval on
    labelled validation sketches of two data sets (docs/experiments.md).

    Args:
        reader: The wrapped reader of sketches.
        margin: White border as a share of the result's side, in [0, 0.5).
        line_width: Increase of the line width in pixels of the result, at least 0, rounded to quarters.
        darkness: Darkness of black lines in the result, in (0, 1]; 1 keeps black.

    Raises:
        InputError: When the reader reads photos, or a number is out of range.
    """

    def __init__(
        self, reader: ImageReader, margin: float = 0.15, line_width: float = 0.5, darkness: float = 0.6
    ) -> None:
        super().__init__(reader.root, "sketch")
        if reader.modality != "sketch":
            raise InputError(
                f"RestyledSketches.reader: must be a reader of sketches, got {type(reader).__name__} of photos"
            )
        must_be_in("RestyledSketches.margin", margin, "[0, 0.5)")
        must_be_in("RestyledSketches.line_width", line_width, "[0, inf)")
        must_be_in("RestyledSketches.darkness", darkness, "(0, 1]")
        self.reader = reader
        self.left_out = reader.left_out
        self.margin, self.line_width, self.darkness = margin, line_width, darkness

    def names(self, folder: str) -> list[str]:
        """Names of the wrapped reader."""
        return self.reader.names(folder)

    def instances(self, names: Sequence[str]) -> list[str] | None:
        """Instances of the wrapped reader."""
        return self.reader.instances(names)

    def read(self, name: str, size: int) -> Tensor:
        """Read a sketch in its new style, uint8 RGB, (3, S, S)."""
        ink = 1 - self.reader.read(name, _FINER * size)[:1].float() / 255
        ink = _centred(ink)
        inner = max(1, round(_FINER * size * (1 - 2 * self.margin)))
        ink = F.interpolate(ink[None], (inner, inner), mode="bicubic", antialias=True)[0]
        before = (_FINER * size - inner) // 2
        after = _FINER * size - inner - before
        ink = F.pad(ink, (before, after, before, after))
        reach = round(self.line_width * _FINER)
        if reach:  # a window of reach + 1 pixels; an odd rest is on one side
            ink = F.pad(ink, (reach // 2, reach - reach // 2, reach // 2, reach - reach // 2))
            ink = F.max_pool2d(ink, reach + 1, stride=1)
        small = F.interpolate(ink[None], (size, size), mode="area")[0].clamp(0, 1) * self.darkness
        return (255 * (1 - small)).round().byte().expand(3, -1, -1).contiguous()


def _centred(ink: Tensor) -> Tensor:
    """Crop to the smallest square around the drawing, (1, H, W) to (1, S, S); empty images stay as they are."""
    drawn = (ink[0] > 0.25).nonzero()
    if len(drawn) == 0:
        return ink
    (top, left), (bottom, right) = drawn.min(0).values.tolist(), (drawn.max(0).values + 1).tolist()
    cut = ink[:, top:bottom, left:right]
    tall, wide = bottom - top, right - left
    side = max(tall, wide)
    left_pad, top_pad = (side - wide) // 2, (side - tall) // 2
    return F.pad(cut, (left_pad, side - wide - left_pad, top_pad, side - tall - top_pad))
