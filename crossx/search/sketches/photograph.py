"""Photographs told from drawings by what lies between the ink: paper is plain, whatever light falls on it."""

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
_CELLS = 64, 32
"""Cells of the longer side, for texture and for colours, in which the grain of paper and camera is averaged out."""
_MOST_TEXTURE = 0.35
"""Share of the ground with edges of its own above which a picture is a photograph."""
_STEP = 0.02
"""Difference of neighbouring cells that is an edge."""
_MOST_COLOURS = 0.007
"""Spread of the ground's hues away from one line above which a picture is a photograph."""
_DARK = 0.2
"""Brightness below which hues are more and more of noise."""
_LEAST_GROUND = 0.05
"""Share of a picture that a sheet must leave free."""


def is_photograph(rgb: Array, mask: Mask) -> bool:
    """Whether a picture is a photograph, and its "ink" what happens to be dark.

    Light and shadow leave the hue of a thing as it is. So the hues of a sheet are one, and those of a sheet on a table,
    or beside one filled area, are on a line between two. A photograph has the hues of many things.

    Args:
        rgb: Colours in [0, 1], (H, W, 3).
        mask: Where ink was found, (H, W).
    """
    cells, ground = _averaged(rgb, mask, _CELLS[0])
    grey = cells.mean(axis=2)
    away = cv2.dilate((~ground).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0  # the edges of ink are its own
    if away.mean() < _LEAST_GROUND:
        return True
    steps = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8))
    if (steps[away] > _STEP).mean() > _MOST_TEXTURE:
        return True
    cells, ground = _averaged(rgb, mask, _CELLS[1])
    return ground.sum() > 2 and _colours(cells[ground]) > _MOST_COLOURS


def _averaged(rgb: Array, mask: Mask, longest: int) -> tuple[Array, Mask]:
    """Cells of a picture, (h, w, 3), and which of them have no ink."""
    size = [max(2, round(side * longest / max(mask.shape))) for side in mask.shape[::-1]]
    cells = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    ink = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    return np.asarray(cells, np.float32), ~ink


def _colours(cells: Array) -> float:
    """Standard deviation of the hues of colours, (N, 3), in the second of their principal directions."""
    hues = (cells + _DARK) / (cells.sum(axis=1, keepdims=True) + 3 * _DARK)
    variances = np.linalg.eigvalsh(np.cov(hues.T))  # rising; the first is 0, because the parts of a hue sum to 1
    return float(np.sqrt(max(0.0, variances[1])))
