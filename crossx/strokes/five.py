"""Drawings as five-element rows: an offset of the pen, and whether it draws on, lifts, or has ended.

The form of "A Neural Representation of Sketch Drawings", Ha and Eck, 2017, arXiv 1704.03477, with one difference: the
pen starts in the centre of the canvas, so that a drawing keeps its place.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.strokes.sequence import Strokes, check_normalised, simplify

Rows = npt.NDArray[np.float32]
"""One drawing of L points: (L + 1, 5), offset x and y from the point before, then one of draw, lift and end as 1. Lift
stands on the last point of a stroke; the last row is the end row (0, 0, 0, 0, 1)."""

CENTRE = 0.5
"""Where the pen starts, x and y, in sides of the unit square."""
DRAW, LIFT, END = 2, 3, 4
"""Columns of the pen's states."""
_FINEST = 1 / 1024
"""First tolerance that is tried for drawings that were not to be simplified, in sides of the unit square."""


def to_five(strokes: Strokes, scale: float) -> Rows:
    """Write a drawing as five-element rows.

    Args:
        strokes: A drawing in the unit square, at least one stroke.
        scale: Length that counts as 1 in the rows, in sides of the unit square; see `offset_scale`.

    Returns:
        (L + 1, 5) for L points, the end row last.

    Raises:
        InputError: When there is no stroke, a stroke is malformed or not normalised, or the scale is not positive.
    """
    must_be_in("scale", scale, "(0, inf)")
    offsets = _offsets(strokes)
    rows = np.zeros((len(offsets) + 1, 5), dtype=np.float32)
    rows[:-1, :DRAW] = offsets / scale
    rows[:-1, DRAW] = 1
    last = np.cumsum([len(stroke) for stroke in strokes]) - 1
    rows[last, DRAW], rows[last, LIFT] = 0, 1
    rows[-1, END] = 1
    return rows


def from_five(rows: npt.NDArray[np.floating], scale: float) -> Strokes:
    """Read a drawing from five-element rows, the inverse of `to_five`.

    Args:
        rows: (N, 5); what stands behind the first end row is not read, and a drawing without end row or without a lift
            on its last point ends with the last row. The largest of the three pen columns counts.
        scale: Length that counts as 1 in the rows.

    Returns:
        The strokes; none where the first row ends the drawing.

    Raises:
        InputError: When the rows are not (N, 5), a number is not finite, or the scale is not positive.
    """
    must_be_in("scale", scale, "(0, inf)")
    if rows.ndim != 2 or rows.shape[1] != 5:
        raise InputError(f"rows: must have the shape (N, 5), got {rows.shape}")
    pen = DRAW + rows[:, DRAW:].argmax(axis=1)
    ends = np.flatnonzero(pen == END)
    length = int(ends[0]) if len(ends) else len(rows)
    if not np.isfinite(rows[:length]).all():
        raise InputError("rows: must be finite, got NaN or infinity")
    points = CENTRE + np.cumsum(rows[:length, :DRAW].astype(np.float64) * scale, axis=0)
    cuts = np.flatnonzero(pen[: max(length - 1, 0)] == LIFT) + 1
    return [stroke for stroke in np.split(points.astype(np.float32), cuts) if len(stroke)]


def offset_scale(drawings: Iterable[Strokes]) -> float:
    """Measure the standard deviation of the offsets of drawings, x and y together.

    Args:
        drawings: Training drawings in the unit square, simplified as they will be used.

    Returns:
        The scale for `to_five`, in sides of the unit square.

    Raises:
        InputError: When there is no drawing, all offsets are equal, or a drawing is malformed.
    """
    offsets = [_offsets(strokes) for strokes in drawings]
    if not offsets:
        raise InputError("drawings: must have at least one drawing, got none")
    scale = float(np.concatenate(offsets).std())
    if scale == 0:
        raise InputError("drawings: must have offsets that differ, got equal ones; their standard deviation is 0")
    return scale


def fit_points(strokes: Strokes, tolerance: float, max_points: int) -> Strokes:
    """Simplify a drawing, the more the longer it is, until it has at most so many points; nothing is cut off.

    Args:
        strokes: A drawing in the unit square.
        tolerance: First tolerance of `simplify`, in sides of the unit square; it is doubled until the drawing fits.
            A stroke that lies within a doubled tolerance of its first point becomes one point.
        max_points: Largest number of points, at least 1.

    Returns:
        The same strokes with a subset of their points.

    Raises:
        InputError: When an argument is out of its range, or the drawing has more than `max_points` strokes.
    """
    must_be_in("max_points", max_points, "[1, inf)")
    if len(strokes) > max_points:
        raise InputError(f"max_points: must be at least the number of strokes, {len(strokes)}, got {max_points}")
    fitted = simplify(strokes, tolerance)
    while sum(map(len, fitted)) > max_points:
        tolerance = max(2 * tolerance, _FINEST)
        fitted = [s[:1] if _reach(s) <= tolerance else s for s in simplify(strokes, tolerance)]
    return fitted


def _reach(stroke: npt.NDArray[np.float32]) -> float:
    """Largest distance of a stroke's points from its first one."""
    return float(np.linalg.norm(stroke - stroke[0], axis=1).max())


def _offsets(strokes: Strokes) -> npt.NDArray[np.float64]:
    """Offset of each point from the one before, of the first from the centre, (L, 2)."""
    if not strokes:
        raise InputError("strokes: must have at least one stroke, got none")
    check_normalised(strokes)
    points = np.concatenate(strokes).astype(np.float64)
    return np.diff(points, axis=0, prepend=[[CENTRE, CENTRE]])
