"""Drawings as stroke sequences: checks, simplification and normalisation."""

import numpy as np
import numpy.typing as npt

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError

Strokes = list[npt.NDArray[np.float32]]
"""One drawing: strokes in drawing order, each with the pen's positions (x, y), (N, 2) with N >= 1; x points to the
right and y down. Normalised drawings are in [0, 1]."""


FARTHEST = 1e4
"""Largest coordinate of a drawing in any unit; what is farther is a broken file, and squares of it lose float32's
precision."""


def check_strokes(strokes: Strokes) -> None:
    """Refuse malformed drawings; stroke files come from strangers.

    Raises:
        InputError: When a stroke is not (N, 2) with N >= 1, holds NaN or an infinity, or a coordinate outside of
            [-1e4, 1e4].
    """
    for i, stroke in enumerate(strokes):
        if stroke.ndim != 2 or stroke.shape[1] != 2 or len(stroke) == 0:
            raise InputError(f"strokes[{i}]: must have the shape (N, 2) with N >= 1, got {stroke.shape}")
        if not np.isfinite(stroke).all():
            raise InputError(f"strokes[{i}]: must be finite, got NaN or infinity")
        if (farthest := np.abs(stroke).max()) > FARTHEST:
            raise InputError(f"strokes[{i}]: must have coordinates in [-{FARTHEST:g}, {FARTHEST:g}], got {farthest:g}")


def check_normalised(strokes: Strokes) -> None:
    """Refuse malformed drawings, and those that are not in the unit square or at most one side away from it.

    Raises:
        InputError: When a stroke is malformed, or a coordinate is outside of [-1, 2].
    """
    check_strokes(strokes)
    for i, stroke in enumerate(strokes):
        if stroke.min() < -1 or stroke.max() > 2:
            raise InputError(
                f"strokes[{i}]: must be normalised to [0, 1], got coordinates in [{stroke.min():g}, {stroke.max():g}]"
            )


def simplify(strokes: Strokes, tolerance: float) -> Strokes:
    """Remove points that hardly change the drawing, by the Ramer-Douglas-Peucker algorithm.

    Args:
        strokes: A drawing in any unit.
        tolerance: Largest distance of a removed point from the line that replaces it, in the strokes' unit, at least 0;
            Quick, Draw! uses 2 on its square of 256 pixels.

    Returns:
        The same strokes with a subset of their points, including the first and the last one.

    Raises:
        InputError: When the tolerance is negative or a stroke is malformed.
    """
    must_be_in("tolerance", tolerance, "[0, inf)")
    check_strokes(strokes)
    return [stroke[_kept(stroke, tolerance)] for stroke in strokes]


def _kept(points: npt.NDArray[np.float32], tolerance: float) -> npt.NDArray[np.bool_]:
    """Mask of the points that Ramer-Douglas-Peucker keeps, (N,)."""
    kept = np.zeros(len(points), dtype=bool)
    kept[[0, -1]] = True
    spans = [(0, len(points) - 1)]  # a stack, because a long stroke would exceed Python's recursion limit
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        distance = _distance_to_segment(points[first + 1 : last], points[first], points[last])
        farthest = first + 1 + int(distance.argmax())
        if distance[farthest - first - 1] > tolerance:
            kept[farthest] = True
            spans += [(first, farthest), (farthest, last)]
    return kept


def _distance_to_segment(
    points: npt.NDArray[np.float32], a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Distance of each point, (N, 2), from the segment ab, (N,); a may equal b, as in closed strokes."""
    ab = (b - a).astype(np.float64)
    along = np.clip((points - a) @ ab / max(float(ab @ ab), 1e-30), 0.0, 1.0)
    distance: npt.NDArray[np.float64] = np.linalg.norm(points - a - along[:, None] * ab, axis=1)
    return distance


def fit_unit_square(strokes: Strokes, margin: float = 0.05) -> Strokes:
    """Scale a drawing into the unit square: centred, aspect kept, the longer side between the margins.

    Args:
        strokes: A drawing in any unit.
        margin: Empty border on each side, in [0, 0.5).

    Returns:
        The drawing in [margin, 1 - margin]; a drawing without extent becomes a dot in the centre.

    Raises:
        InputError: When the margin is outside [0, 0.5) or a stroke is malformed.
    """
    must_be_in("margin", margin, "[0, 0.5)")
    check_strokes(strokes)
    if not strokes:
        return []
    points = np.concatenate(strokes).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    scale = (1 - 2 * margin) / extent if extent > 0 else 1.0
    centre = (low + high) / 2
    return [(0.5 + (stroke - centre) * scale).astype(np.float32) for stroke in strokes]
