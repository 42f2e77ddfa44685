"""Hand-like sketches of objects."""

import numpy as np

from crossx.data.shapes.curves import Curve, ellipse, inside, resample, spline
from crossx.data.shapes.detail import HARD, Detail
from crossx.data.shapes.hand import draw_by_hand
from crossx.data.shapes.objects import Part
from crossx.data.shapes.viewpoint import Viewpoint
from crossx.strokes.sequence import Strokes, fit_unit_square


def draw_sketch(
    parts: list[Part], rng: np.random.Generator, detail: Detail = HARD, viewpoint: Viewpoint | None = None
) -> Strokes:
    """Sketch an object: its visible outlines, some left out, drawn by hand, perhaps with some surroundings.

    Args:
        parts: The object, see `crossx.data.shapes.objects.draw_object`.
        rng: Source of viewpoint, omissions and imprecision, none of which depends on the object.
        detail: Difficulty.
        viewpoint: The photo's, from which the sketch is drawn; None draws the object as it stands.

    Returns:
        The strokes in drawing order, in [0, 1].
    """
    largest = max(parts, key=lambda part: float(np.prod(np.ptp(part.outline, axis=0))))
    keep = [rng.random() > (detail.minor_omitted if part.minor else detail.major_omitted) for part in parts]
    drawn = [part for part, kept in zip(parts, keep, strict=True) if kept or part is largest]
    own = detail.own_view
    angle, stretch = np.radians(rng.normal(0, 22 * own)), np.exp(rng.normal(0, 0.14 * own, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * (stretch / 2)
    curves: list[Curve] = []
    for i, part in enumerate(drawn):
        lines = _visible(part.curve, [later.curve for later in drawn[i + 1 :] if not later.width])
        if not part.width and rng.random() < detail.hatching:
            lines += _hatching(part.curve, rng)
        curves += [(line if viewpoint is None else viewpoint.see(line)) @ turn.T for line in lines]
    haste = rng.uniform(0, 1)  # from a careful drawing to a scribble
    wobble, slip = detail.clumsiness * (0.006 + 0.034 * haste), detail.clumsiness * (0.01 + 0.045 * haste)
    margin = rng.uniform(*detail.margin)
    strokes = fit_unit_square(_strokes(draw_by_hand(curves, rng, wobble, slip)), margin)
    shift = (rng.uniform(-0.9, 0.9, 2) * margin).astype(np.float32)
    strokes = [stroke + shift for stroke in strokes]
    for _ in range(rng.poisson(detail.surroundings)):
        doodle = _strokes(draw_by_hand(_doodle(rng), rng))
        if not _overlap(doodle, strokes):
            strokes += doodle
    return [np.clip(stroke, 0, 1) for stroke in strokes]


def _strokes(curves: list[Curve]) -> Strokes:
    return [curve.astype(np.float32) for curve in curves]


def _overlap(a: Strokes, b: Strokes) -> bool:
    """Whether the bounding boxes of two drawings meet."""
    p, q = np.concatenate(a), np.concatenate(b)
    return bool((np.minimum(p.max(axis=0), q.max(axis=0)) > np.maximum(p.min(axis=0), q.min(axis=0))).all())


def _doodle(rng: np.random.Generator) -> list[Curve]:
    """Surroundings that go with every object, in the unit square: sun, cloud, birds or ground."""
    x, y, r = rng.uniform(0.2, 0.8), rng.uniform(0.12, 0.3), rng.uniform(0.06, 0.11)
    kind = rng.integers(4)
    if kind == 0:
        rays = np.linspace(0, 2 * np.pi, int(rng.integers(5, 9)), endpoint=False)
        tips = np.stack([np.cos(rays), np.sin(rays)], axis=1)
        return [ellipse(x, y, r * 0.6, r * 0.6), *([x, y] + r * np.array([1.0, 1.5])[:, None] * tip for tip in tips)]
    if kind == 1:
        around = np.linspace(0, 2 * np.pi, 41)
        puffs = r * (0.75 + 0.5 * np.abs(np.sin(2.5 * around)))
        return [np.stack([x + 1.6 * puffs * np.cos(around), y + 0.9 * puffs * np.sin(around)], axis=1)]
    if kind == 2:
        wing = np.array([[-1, -0.4], [-0.5, -0.6], [0, 0], [0.5, -0.6], [1, -0.4]]) * r
        return [wing * rng.uniform(0.6, 1) + [x + side * 1.1 * r, y + rng.normal(0, 0.03)] for side in (-1, 1)]
    left, right = rng.uniform(0.02, 0.4), rng.uniform(0.6, 0.98)
    return [spline([(at, 1.08 - y + rng.normal(0, 0.02)) for at in np.linspace(left, right, 5)])]


def _visible(curve: Curve, later: list[Curve]) -> list[Curve]:
    """Pieces of a curve that areas painted later leave uncovered."""
    dense = resample(curve, 0.04)
    seen = np.ones(len(dense), dtype=bool)
    for area in later:
        seen &= ~inside(dense, area)
    if seen.all():
        return [curve]
    if np.allclose(curve[0], curve[-1]) and seen[0] and seen[-1]:
        gap = int(np.flatnonzero(~seen)[0])  # begin where it is hidden, so that no visible piece is cut in two
        dense, seen = np.roll(dense[:-1], -gap, axis=0), np.roll(seen[:-1], -gap)
    edges = np.flatnonzero(np.diff(seen.astype(np.int8), prepend=0, append=0))
    return [dense[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 3]


def _hatching(area: Curve, rng: np.random.Generator) -> list[Curve]:
    """Parallel lines across an area."""
    low, high = area.min(axis=0), area.max(axis=0)
    centre, radius = (low + high) / 2, float(np.hypot(*(high - low))) / 2
    angle, gap = rng.uniform(0.4, 1.2) * rng.choice([-1, 1]), rng.uniform(0.16, 0.3)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    lines: list[Curve] = []
    for offset in np.arange(-radius + gap / 2, radius, gap):
        line = centre + across * offset + along * np.linspace(-radius, radius, 40)[:, None]
        within = np.flatnonzero(inside(line, area))
        if len(within) > 3:
            lines.append(line[within[[0, -1]]])
    return lines
