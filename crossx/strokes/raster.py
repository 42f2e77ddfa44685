"""Stroke sequences to pixels."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from crossx.core.errors import InputError
from crossx.strokes.sequence import Strokes, check_strokes

SUPERSAMPLING = 4


def rasterise(strokes: Strokes, size: int, width: float) -> npt.NDArray[np.uint8]:
    """Draw a normalised drawing, anti-aliased, in black on white.

    Args:
        strokes: The drawing; the unit square becomes the image, what lies outside of it is cut off.
        size: Side of the image in pixels.
        width: Line width in output pixels, with round caps and joints; a stroke of one point is a dot of that
            diameter. It takes effect in steps of a quarter pixel.

    Returns:
        (size, size), 255 where nothing is drawn, 0 in the middle of a stroke.

    Raises:
        InputError: When size or width is not positive, a stroke is malformed, or a coordinate lies outside [-1, 2],
            which means that the drawing was not normalised.
    """
    if size < 1 or not width > 0:
        raise InputError(f"size {size} and width {width} must be positive")
    check_strokes(strokes)
    canvas = Image.new("L", (size * SUPERSAMPLING, size * SUPERSAMPLING), 255)
    pen = ImageDraw.Draw(canvas)
    thickness = max(1, round(width * SUPERSAMPLING))
    radius = thickness / 2
    for i, stroke in enumerate(strokes):
        if stroke.min() < -1 or stroke.max() > 2:
            raise InputError(
                f"strokes[{i}]: coordinates in [{stroke.min():g}, {stroke.max():g}] are not normalised to [0, 1]"
            )
        points = stroke.astype(np.float64) * (size * SUPERSAMPLING)
        pen.line(points.ravel().tolist(), fill=0, width=thickness, joint="curve")
        for x, y in points[[0, -1]].tolist():  # Pillow's lines end square
            pen.ellipse((x - radius, y - radius, x + radius - 1, y + radius - 1), fill=0)
    return np.asarray(canvas.reduce(SUPERSAMPLING))
