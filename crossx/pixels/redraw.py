"""A pen without torch: `Pen.redraw` for one sketch of a search."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from crossx.pixels.fit import U8
from crossx.pixels.pen import FINER, Pen

_F32 = npt.NDArray[np.float32]


def redraw(grey: U8, pen: Pen) -> U8:
    """Redraw a sketch as `Pen.redraw` does, but for one level of 255 at most, where both round a half.

    Args:
        grey: Dark lines on white at `FINER` times the side of the result, (FINER * S, FINER * S).
        pen: The pen.

    Returns:
        (S, S).
    """
    ink: _F32 = 1 - grey.astype(np.float32) / np.float32(255)
    if pen.margin is not None:
        ink = _scaled(_centred(ink), len(grey), pen.margin)
    if reach := round(pen.line_width * len(grey)):  # a window of reach + 1 pixels; an odd rest is on one side
        padded = np.pad(ink, (reach // 2, reach - reach // 2))
        rows = np.lib.stride_tricks.sliding_window_view(padded, reach + 1, axis=0).max(axis=-1)
        ink = np.lib.stride_tricks.sliding_window_view(rows, reach + 1, axis=1).max(axis=-1)
    size = len(grey) // FINER
    small = ink.reshape(size, FINER, size, FINER).mean(axis=(1, 3)).clip(0, 1)
    dark = np.minimum(small * np.float32(pen.darkness), 1)
    drawn: U8 = (255 * (dark if pen.white_on_black else 1 - dark)).round().astype(np.uint8)
    return drawn


def _scaled(ink: _F32, side: int, margin: float) -> _F32:
    """Scale a square drawing, and surround it with a margin, (side, side)."""
    inner = max(1, round(side * (1 - 2 * margin)))
    before = (side - inner) // 2
    resized = np.asarray(Image.fromarray(ink).resize((inner, inner), Image.Resampling.BICUBIC))
    return np.pad(resized, (before, side - inner - before))


def _centred(ink: _F32) -> _F32:
    """Crop to the smallest square around the drawing; an empty image stays as it is."""
    rows, columns = np.nonzero(ink > 0.25)
    if len(rows) == 0:
        return ink
    cut = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    side = max(cut.shape)
    before = [(side - length) // 2 for length in cut.shape]
    return np.pad(cut, [(b, side - length - b) for b, length in zip(before, cut.shape, strict=True)])
