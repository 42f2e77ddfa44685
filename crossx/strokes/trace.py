"""Pictures of line drawings traced to strokes."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from crossx.core.errors import InputError
from crossx.strokes.sequence import Strokes, simplify
from crossx.strokes.skeleton import Points, contract, join, lines_of, prune

_SIDE = 384
"""Side in pixels at which pictures are traced, about: a skeleton is whole pixels off the middle of thin lines."""
_SPUR = 1 / 32
"""Shortest line from a branching to a free end, as a share of the side; shorter ones are frayed edges."""
_TOLERANCE = 0.5
"""Largest distance of a removed point from the stroke, in pixels of the picture."""


def trace(image: npt.NDArray[np.uint8]) -> Strokes:
    """Trace a line drawing.

    Ink is what Otsu's threshold ("A Threshold Selection Method from Gray-Level Histograms", 1979) separates. Its
    skeleton is cut at branchings, freed of spurs, and joined again where a line turns least. Which stroke was first,
    and in which direction, a picture does not say: each stroke begins where the pen is nearest, the first one in the
    upper left.

    Args:
        image: Dark lines on light, (S, S), square.

    Returns:
        The strokes in the unit square, simplified by half a pixel; none for a picture of one colour.

    Raises:
        InputError: When the picture is not (S, S) of uint8, or scikit-image is not installed.
    """
    if image.ndim != 2 or image.shape[0] != image.shape[1] or image.size == 0 or image.dtype != np.uint8:
        raise InputError(f"image: must be uint8 with the shape (S, S), got {image.dtype} {image.shape}")
    if image.min() == image.max():
        return []
    try:
        from skimage.morphology import skeletonize
    except ImportError as error:
        raise InputError('tracing needs scikit-image: pip install "crossx[strokes]"') from error
    size = image.shape[0]
    finer = max(1, round(_SIDE / size))
    ink = _ink(image, finer)
    skeleton = skeletonize(ink)
    width = ink.sum() / skeleton.sum()
    spur = max(_SPUR * size * finer, 1.5 * width)  # thick lines fray more, and share more where they cross
    strokes = join(prune(contract(lines_of(skeleton), max(spur / 2, 1.5 * width)), spur))
    placed = [((stroke + 0.5) / (size * finer)).astype(np.float32) for stroke in _in_order(strokes)]
    return simplify(placed, _TOLERANCE / size)


def pen_width(image: npt.NDArray[np.uint8], strokes: Strokes) -> float:
    """Estimate the width of the lines of a traced drawing: the area of the ink by the length of the strokes.

    Args:
        image: The picture, as for `trace`.
        strokes: What `trace` found in it.

    Returns:
        Width in pixels; 1 where the strokes have no length.
    """
    length = sum(float(np.hypot(*np.diff(stroke, axis=0).T).sum()) for stroke in strokes) * image.shape[0]
    return float(_ink(image, 1).sum()) / length if length > 0 else 1.0


def _ink(image: npt.NDArray[np.uint8], finer: int) -> npt.NDArray[np.bool_]:
    """Mask of the lines at a multiple of the picture's resolution."""
    from skimage.filters import threshold_otsu

    side = image.shape[0] * finer
    large = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
    mask: npt.NDArray[np.bool_] = large <= threshold_otsu(large)
    return mask


def _in_order(strokes: list[Points]) -> list[Points]:
    """Strokes in the order in which a pen that always goes to the nearest one draws them."""
    left, ordered = list(strokes), []
    pen = np.zeros(2)
    while left:
        starts = [_nearest_start(stroke, pen) for stroke in left]
        i = int(np.argmin([np.hypot(*(start[0] - pen)) for start in starts]))
        ordered.append(starts[i])
        del left[i]
        pen = ordered[-1][-1]
    return ordered


def _nearest_start(stroke: Points, pen: Points) -> Points:
    """The stroke from its end that is nearer to the pen, or a ring from its nearest point."""
    if len(stroke) > 2 and np.array_equal(stroke[0], stroke[-1]):
        nearest = int(np.hypot(*(stroke - pen).T).argmin())
        return np.concatenate([stroke[nearest:-1], stroke[: nearest + 1]])
    return stroke[::-1] if np.hypot(*(stroke[-1] - pen)) < np.hypot(*(stroke[0] - pen)) else stroke
