"""Plane curves as dense polylines, (N, 2), x to the right and y down."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Curve: TypeAlias = npt.NDArray[np.float64]


def ellipse(
    x: float, y: float, rx: float, ry: float, start: float = 0.0, end: float = 360.0, points: int = 28
) -> Curve:
    """Arc of an ellipse around (x, y), from `start` to `end` in degrees, clockwise on screen from the right."""
    angle = np.radians(np.linspace(start, end, points))
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def rectangle(left: float, top: float, right: float, bottom: float) -> Curve:
    """Closed rectangle, first corner repeated at the end."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def polygon(*corners: tuple[float, float]) -> Curve:
    """Closed polygon, first corner repeated at the end."""
    return np.array([*corners, corners[0]], dtype=np.float64)


def spline(knots: Sequence[tuple[float, float]], closed: bool = False, points: int = 7) -> Curve:
    """Smooth curve through the knots (uniform Catmull-Rom), with `points` points for each knot."""
    p = np.array(knots, dtype=np.float64)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    a, b, c, d = p[:-3, None], p[1:-2, None], p[2:-1, None], p[3:, None]
    t = np.linspace(0.0, 1.0, points, endpoint=False)[None, :, None]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.concatenate([curve.reshape(-1, 2), p[-2:-1]])


def band(centre: Curve, width: float) -> Curve:
    """Closed outline of a strip of the given width around an open curve."""
    along = np.gradient(centre, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True).clip(1e-9)
    side = across * width / 2
    return np.concatenate([centre + side, (centre - side)[::-1], (centre + side)[:1]])


def resample(curve: Curve, spacing: float) -> Curve:
    """Resample a polyline with points at most `spacing` apart, ends kept; corners are cut by less than `spacing`."""
    travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    at = np.linspace(0.0, travelled[-1], max(2, int(np.ceil(travelled[-1] / spacing)) + 1))
    return np.stack([np.interp(at, travelled, curve[:, 0]), np.interp(at, travelled, curve[:, 1])], axis=1)


def inside(points: Curve, outline: Curve) -> npt.NDArray[np.bool_]:
    """Mask of the points, (N, 2), inside a closed outline by the even-odd rule, (N,)."""
    x, y = points[:, :1], points[:, 1:]
    (x0, y0), (x1, y1) = outline.T, np.roll(outline, -1, axis=0).T
    straddles = (y0 > y) != (y1 > y)
    rise = np.where(y1 == y0, 1.0, y1 - y0)  # horizontal edges never straddle
    crossings = straddles & (x < x0 + (y - y0) / rise * (x1 - x0))
    result: npt.NDArray[np.bool_] = crossings.sum(axis=1) % 2 == 1
    return result
