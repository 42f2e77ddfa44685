"""Where a picture has ink: what differs from its ground, in whatever colour and light."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from crossx.core.errors import InputError
from crossx.search.sketches.photograph import is_photograph

Array = npt.NDArray[np.float32]
_FAINTEST = 0.08
"""Contrast with the ground from which something counts as ink."""
_MOST_INK = 0.6
"""Share of a picture above which its ink is no drawing."""
_UNEVEN = 0.12
"""Spread of the brightness along the border above which the light is uneven."""
_WIDEST_LINE = 1 / 10
"""Width of the widest line that is told from a shadow, as a share of the longer side."""
_SPECK = 1 / 170
"""Side of the largest speck, likewise."""


class NoDrawingError(InputError):
    """A picture that is no drawing, and perhaps a photo to search with."""


class Found(NamedTuple):
    """Ink of a picture.

    Attributes:
        mask: Where it is, (H, W) bool; at least one pixel.
        warnings: What the picture was like.
    """

    mask: npt.NDArray[np.bool_]
    warnings: tuple[str, ...]


def find_ink(rgb: Array, alpha: Array | None) -> Found:
    """Find the ink of a drawing.

    Args:
        rgb: Colours in [0, 1], (H, W, 3), on white where the picture is transparent.
        alpha: Opacity in [0, 1], (H, W); None for an opaque picture.

    Raises:
        InputError: When nothing is drawn.
        NoDrawingError: When most of the picture is ink, or it is a photograph.
    """
    warnings: list[str] = []
    if alpha is not None and _is_drawn_in(alpha):
        mask = alpha > 0.5
        if mask.any():
            return Found(mask, ("drawn on transparency",))
    noisy = rgb
    rgb = _blurred(rgb, max(0.6, max(rgb.shape[:2]) / 700))
    if _is_dark(rgb):
        rgb = 1 - rgb
        warnings.append("inverted")
    ground, even = _ground(rgb)
    if not even:
        warnings.append("uneven light removed")
    # Of the channels, the one in which the ink is darkest: a yellow line is only missing blue.
    contrast = (1 - (rgb + _DARK) / (ground + _DARK)).max(axis=2).clip(0, 1)
    if np.quantile(contrast, 0.9995) < _FAINTEST:
        raise InputError("picture: must show a drawing, got a sheet on which nothing is drawn")
    mask = _without_specks(contrast > _threshold(contrast))
    if not mask.any():
        raise InputError("picture: must show a drawing, got a sheet on which nothing is drawn")
    if is_photograph(noisy, mask):
        raise NoDrawingError(
            "picture: must show a drawing, got what looks like a photograph; use photo search for photos"
        )
    if mask.mean() > _MOST_INK:
        raise NoDrawingError(f"picture: must be ink by at most {_MOST_INK:.0%}, got {mask.mean():.0%}")
    return Found(mask, tuple(warnings))


_DARK = 0.02
"""Added to brightness before it is divided: the darkest shadow is noise."""


def _is_drawn_in(alpha: Array) -> bool:
    """Whether the drawing is what is opaque: most is transparent, and something is not."""
    opaque = float((alpha > 0.5).mean())
    return 0 < opaque < _MOST_INK and float((alpha < 0.1).mean()) > 1 - _MOST_INK


def _is_dark(rgb: Array) -> bool:
    """Whether lines are lighter than the ground, which is what most of each neighbourhood is."""
    grey = (255 * rgb.mean(axis=2)).round().clip(0, 255).astype(np.uint8)
    factor = min(1.0, 256 / max(grey.shape))
    small = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    differences = small.astype(np.float64) - cv2.medianBlur(small, _odd(max(small.shape) / 6))
    # Cubes keep the sign, and leave little of the noise of the ground, which is everywhere and small.
    return float((differences**3).sum()) > 0


def _ground(rgb: Array) -> tuple[Array, bool]:
    """Colour of the ground at each pixel, (H, W, 3) or (1, 1, 3), and whether it is the same everywhere."""
    side = max(rgb.shape[:2])
    window = _odd(side * _WIDEST_LINE)
    padded = cv2.copyMakeBorder(rgb, window, window, window, window, cv2.BORDER_REPLICATE)
    # Closing takes away what is dark and narrow, and leaves the edge of a shadow where it is.
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((window, window), np.uint8))
    closed = closed[window:-window, window:-window]
    width = max(1, side // 40)
    frame = np.ones(rgb.shape[:2], bool)
    frame[width:-width, width:-width] = False
    border = closed[frame]
    brightness = border.mean(axis=1)
    low, high = np.quantile(brightness, [0.05, 0.95])
    if high - low <= _UNEVEN * max(float(high), _DARK):
        return np.median(border, axis=0).astype(np.float32)[None, None], True
    # Closing follows the noise upwards, which the ink does not.
    return _blurred(np.asarray(closed, np.float32), 1.0), False


def _threshold(contrast: Array) -> float:
    """Contrast that tells ink from ground: Otsu's, above the noise of the ground."""
    levels = (255 * contrast).round().astype(np.uint8)
    # Of the pixels that may be ink: a sheet has a hundred times as many others, which would draw the threshold down.
    candidates = levels[levels > 255 * _FAINTEST / 2]
    value, _ = cv2.threshold(candidates.reshape(-1, 1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    noise = 5 * float(np.median(contrast))
    strong = 0.35 * float(np.quantile(contrast[contrast > _FAINTEST / 2], 0.9))
    return max(min(value / 255, strong), min(noise, 0.5), _FAINTEST)


def _without_specks(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The ink without components that are smaller than any dot that somebody draws."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    least = max(4.0, (max(mask.shape) * _SPECK) ** 2)
    kept = stats[:, cv2.CC_STAT_AREA] >= least
    kept[0] = False  # the ground
    if count == 1 or not kept.any():
        return np.zeros_like(mask)
    result: npt.NDArray[np.bool_] = kept[labels]
    return result


def _blurred(rgb: Array, deviation: float) -> Array:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), deviation), np.float32)


def _odd(length: float) -> int:
    return max(3, 2 * round(length / 2) + 1)
