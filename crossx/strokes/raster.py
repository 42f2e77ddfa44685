"""Rasterisation of stroke sequences."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.strokes.sequence import Strokes, check_normalised

SUPERSAMPLING = 4


def rasterise(strokes: Strokes, size: int, width: float) -> npt.NDArray[np.uint8]:
    """Draw a normalised drawing, anti-aliased, in black on white.

    Args:
        strokes: The drawing; the unit square becomes the image, points outside are cut off.
        size: Side of the image in pixels.
        width: Line width in pixels of the image, rounded to quarters, with round caps and joints; a stroke of one
            point becomes a dot of that diameter.

    Returns:
        (size, size), 255 where nothing is drawn, 0 in the middle of a stroke.

    Raises:
        InputError: When size or width is not positive, a stroke is malformed, or a coordinate is outside [-1, 2], which
            means that the drawing is not normalised.
    """
    must_be_in("size", size, "[1, inf)")
    must_be_in("width", width, "(0, inf)")
    check_normalised(strokes)
    canvas = Image.new("L", (size * SUPERSAMPLING, size * SUPERSAMPLING), 255)
    pen = ImageDraw.Draw(canvas)
    thickness = max(1, round(width * SUPERSAMPLING))
    radius = thickness / 2
    for stroke in strokes:
        points = stroke.astype(np.float64) * (size * SUPERSAMPLING)
        pen.line(points.ravel().tolist(), fill=0, width=thickness, joint="curve")
        for x, y in points[[0, -1]].tolist():  # Pillow's lines end square
            pen.ellipse((x - radius, y - radius, x + radius - 1, y + radius - 1), fill=0)
    return np.asarray(canvas.reduce(SUPERSAMPLING))


def rasterise_batch(drawings: Sequence[Strokes], size: int, width: float) -> npt.NDArray[np.uint8]:
    """Draw normalised drawings, each as `rasterise` does.

    Args:
        drawings: B drawings, at least one.
        size: Side of the images in pixels.
        width: Line width in pixels.

    Returns:
        (B, size, size), 255 where nothing is drawn.

    Raises:
        InputError: When there is no drawing, or one cannot be drawn.
    """
    if not drawings:
        raise InputError("drawings: must have at least one drawing, got none")
    return np.stack([rasterise(strokes, size, width) for strokes in drawings])
