"""Images of one size: photos are cropped, sketches are padded, and their strokes are thickened before they shrink.

Photos are cropped to the central square, because their subject is in the middle. Sketches are padded with white,
because a stroke that is cut off changes the drawing.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

U8 = npt.NDArray[np.uint8]


def fit_photo(image: Image.Image, size: int) -> U8:
    """Central square of a photo, resized with antialiasing, as uint8 RGB, (3, S, S)."""
    square = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def fit_sketch(image: Image.Image, size: int, light: bool | None = None) -> U8:
    """Whole sketch as dark strokes on white, centred on a white square, as uint8 RGB, (3, S, S).

    A drawing of light strokes on black is inverted first; see `is_white_on_black`.

    Shrinking by a factor makes strokes that are thinner than the factor light grey. Each pixel is therefore first
    replaced by the darkest pixel in a window about as wide as the factor, so that every stroke covers about one pixel
    of the result. Below a factor of two nothing is thickened.

    Args:
        image: The drawing, in any mode and aspect.
        size: Side S of the result in pixels.
        light: Whether the drawing has light strokes on black; None asks `is_white_on_black`.
    """
    grey = np.asarray(image.convert("L"))
    if is_white_on_black(grey) if light is None else light:
        grey = 255 - grey
    factor = max(grey.shape) / size
    thick = Image.fromarray(_darkest_around(grey, reach=int(factor / 2)))
    width, height = (max(1, round(side / factor)) for side in thick.size)
    # The Hamming filter is as sharp as area averaging when it shrinks, and smooth when it enlarges.
    small = thick.resize((width, height), Image.Resampling.HAMMING)
    square = Image.new("L", (size, size), 255)
    square.paste(small, ((size - width) // 2, (size - height) // 2))
    return repeat_grey(np.asarray(square))


def is_white_on_black(grey: U8) -> bool:
    """Whether a drawing has light strokes on a dark ground.

    Its border is dark, because that is where a drawing shows its ground. More of its pixels are dark than light,
    because a drawing on white may have a dark frame. Some pixels are light, because a sheet without strokes has no
    ground to tell.

    Args:
        grey: The drawing, (H, W).
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    dark, light = grey < 64, grey >= 192
    return bool((border < 64).mean() > 0.6 and dark.mean() > light.mean() and grey.max() >= 128)


def repeat_grey(grey: U8) -> U8:
    """Repeat one channel, (S, S), as three equal channels, (3, S, S)."""
    return np.repeat(grey[None], 3, axis=0)


def _darkest_around(grey: U8, reach: int) -> U8:
    """Minimum over the square window of 2 * reach + 1 pixels around each pixel.

    The window grows by doubling, first over rows, then over columns: the time of Pillow's MinFilter
    grows with the square of the window's width: seconds for an original sketch of TU-Berlin.
    """
    for _ in range(2):
        edge = min(reach, len(grey) - 1)  # a wider window covers nothing more and takes memory
        rows = np.pad(grey, ((edge, edge), (0, 0)), constant_values=255)
        span, window = 1, 2 * edge + 1
        while span < window:
            step = min(span, window - span)
            rows = np.minimum(rows[: len(rows) - step], rows[step:])
            span += step
        grey = rows.T
    return np.ascontiguousarray(grey)
