"""Drawings in the form of Quick, Draw!, and how crossx draws them: with one pen, for training and for search."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crossx.strokes.raster import rasterise
from crossx.strokes.sequence import Strokes, check_strokes, fit_unit_square

LINE_WIDTH = 1 / 48
"""Line width as a share of the image's side, about that of a fine pen."""
THINNEST = 1.25
"""Smallest line width in pixels; thinner lines would fade."""
MARGIN = 0.05
"""Empty border on each side of a drawing, as a share of the image's side."""


def line_width(size: int, share: float = LINE_WIDTH) -> float:
    """Line width in pixels of an image of a side of `size` pixels, from its share of the side."""
    return max(THINNEST, size * share)


def parse_strokes(drawing: Sequence[Sequence[Sequence[float]]]) -> Strokes:
    """Read the strokes of a simplified drawing, `[[[x, ...], [y, ...]], ...]`.

    Raises:
        ValueError: When there is no stroke, or a stroke has no point, not as many x as y, or more than these two rows.
        TypeError: When the values are no lists of numbers.
    """
    if not drawing:
        raise ValueError("it has no stroke")
    strokes = []
    for x, y in drawing:
        if len(x) == 0 or len(x) != len(y):
            raise ValueError(f"a stroke has {len(x)} x and {len(y)} y")
        strokes.append(np.stack([np.asarray(x, np.float32), np.asarray(y, np.float32)], axis=1))
    check_strokes(strokes)
    return strokes


def draw_strokes(strokes: Strokes, size: int, share: float = LINE_WIDTH) -> npt.NDArray[np.uint8]:
    """Draw strokes in any unit, centred, in black on white, (S, S).

    Args:
        strokes: The drawing.
        size: Side S of the result in pixels.
        share: Line width as a share of the side; not thinner than `THINNEST` pixels.
    """
    return rasterise(fit_unit_square(strokes, MARGIN), size, line_width(size, share))
