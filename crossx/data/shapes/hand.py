"""Imprecise strokes, as if drawn by hand, from exact curves."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from crossx.data.shapes.curves import Curve, resample

SPACING = 0.03
CORNER = np.radians(40.0)


def draw_by_hand(
    curves: Sequence[Curve], rng: np.random.Generator, wobble: float = 0.012, slip: float = 0.02
) -> list[Curve]:
    """Redraw curves of about unit extent as a hand would.

    Each curve is misplaced a little as a whole. Some curves are drawn in one stroke, others with the pen lifted at the
    corners. Every stroke stops short of its end or overshoots it, and sways with long wavelengths (white noise would
    look like a tremor).

    Args:
        curves: Exact curves in drawing order; a closed curve repeats its first point.
        rng: Source of all random numbers.
        wobble: Standard deviation of the sway, in the unit of the curves.
        slip: Standard deviation of the position and of each stroke's overshoot, in the unit of the curves.

    Returns:
        The strokes, at least one for each curve.
    """
    strokes: list[Curve] = []
    for curve in curves:
        dense = _misplace(resample(curve, SPACING), rng, slip)
        closed = bool(np.allclose(curve[0], curve[-1]))
        pieces = _lift_at_corners(dense, closed) if rng.random() < 0.5 else [_restart(dense, rng) if closed else dense]
        strokes += [_sway(_overshoot(piece, rng.normal(0.3 * slip, slip, 2)), rng, wobble) for piece in pieces]
    return strokes


def _misplace(curve: Curve, rng: np.random.Generator, slip: float) -> Curve:
    """Shift, turn and scale a curve around its centre."""
    centre = curve.mean(axis=0)
    angle, (stretch_x, stretch_y) = rng.normal(0.0, 2 * slip), 1 + rng.normal(0.0, 2 * slip, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * [stretch_x, stretch_y]
    moved: Curve = (curve - centre) @ turn.T + centre + rng.normal(0.0, 0.6 * slip, 2)
    return moved


def _restart(curve: Curve, rng: np.random.Generator) -> Curve:
    """Start a closed curve at another of its points."""
    start = int(rng.integers(len(curve) - 1))
    return np.concatenate([curve[start:-1], curve[: start + 1]])


def _lift_at_corners(curve: Curve, closed: bool) -> list[Curve]:
    """Cut a dense curve where it turns sharply; a closed one without corners stays whole."""
    # Resampling cuts a corner into two half turns, so directions are compared two steps apart.
    heading = np.diff(curve, axis=0)
    angle = np.arctan2(heading[:, 1], heading[:, 0])
    turn = np.abs((angle[2:] - angle[:-2] + np.pi) % (2 * np.pi) - np.pi)
    corners: list[int] = []
    for i in np.flatnonzero(turn > CORNER) + 1:
        if corners and i - corners[-1] <= 2:
            continue
        corners.append(int(i))
    cuts = [0, *(i for i in corners if 2 < i < len(curve) - 3), len(curve) - 1]
    if closed and len(cuts) == 2:
        return [curve]
    return [curve[a : b + 1] for a, b in pairwise(cuts)]


def _overshoot(curve: Curve, lengths: Curve) -> Curve:
    """Run over both ends by the given lengths; a negative length stops short."""
    for length in lengths:
        curve = curve[::-1]
        step = curve[-1] - curve[-2]
        norm = float(np.hypot(*step))
        if length > 0 and norm > 0:
            curve = np.concatenate([curve, [curve[-1] + step / norm * length]])
        elif length < 0:
            curve = curve[: max(2, len(curve) - round(-length / SPACING))]
    return curve


def _sway(curve: Curve, rng: np.random.Generator, wobble: float) -> Curve:
    """Add a sum of slow waves along the arc, independent in x and y."""
    arc = SPACING * np.arange(len(curve))
    waves = 3
    frequency = rng.uniform(0.3, 3.0, (waves, 2))  # cycles for each unit of length: wavelengths of a third and more
    phase = rng.uniform(0.0, 2 * np.pi, (waves, 2))
    amplitude = rng.normal(0.0, wobble * np.sqrt(2 / waves), (waves, 2))
    swayed: Curve = curve + (np.sin(2 * np.pi * frequency * arc[:, None, None] + phase) * amplitude).sum(axis=1)
    return swayed
