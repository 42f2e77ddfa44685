"""Procedural everyday objects: lists of parts with random proportions."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from crossx.data.shapes.curves import Curve, band, ellipse, polygon, rectangle, spline

MATERIALS = 5  # that the parts of an object choose from


@dataclass(frozen=True)
class Part:
    """One part of an object, painted over the parts before it.

    Attributes:
        curve: Outline of an area, or centre line of a thin part, (N, 2).
        width: Thickness of a thin part, which a sketch draws as one line; 0 for an area.
        minor: Whether a sketch may leave it out.
        material: Index of the part's material, below `MATERIALS`.
    """

    curve: Curve
    width: float = 0.0
    minor: bool = False
    material: int = 0

    @property
    def outline(self) -> Curve:
        """Closed outline of the area that the part covers."""
        return band(self.curve, self.width) if self.width else self.curve


def _car(rng: np.random.Generator) -> list[Part]:
    length, sill, roof = 1.0, rng.uniform(0.22, 0.34), rng.uniform(0.3, 0.5)
    hood, boot = rng.uniform(0.3, 0.6), rng.uniform(0.0, 0.4)
    slant = rng.uniform(0.12, 0.3)
    wheel = rng.uniform(0.17, 0.25)
    left, right = -length + boot, length - hood
    body = spline([(-1, 0), (-0.97, -sill), (0.9, -sill * 0.95), (1, -0.1), (1, 0.12), (-1, 0.12)], closed=True)
    cabin = polygon((left, -sill), (left + slant * 0.6, -sill - roof), (right - slant, -sill - roof), (right, -sill))
    glass = (cabin - cabin[:-1].mean(axis=0)) * [0.78, 0.62] + cabin[:-1].mean(axis=0)
    wheels = [(-0.58 + rng.uniform(-0.08, 0.08)), (0.58 + rng.uniform(-0.08, 0.08))]
    parts = [Part(cabin), Part(glass, minor=True, material=1), Part(body)]
    if rng.random() < 0.6:
        post = np.array([[(left + right) / 2, -sill - 0.8 * roof], [(left + right) / 2, -sill]])
        parts.insert(2, Part(post, width=0.06, minor=True))
    parts.append(Part(ellipse(0.9, -0.1, 0.08, 0.06), minor=True, material=2))
    for x in wheels:
        parts.append(Part(ellipse(x, 0.14, wheel, wheel), material=3))
        parts.append(Part(ellipse(x, 0.14, wheel * 0.45, wheel * 0.45), minor=True, material=4))
    return parts


def _cup(rng: np.random.Generator) -> list[Part]:
    top, bottom = rng.uniform(0.55, 0.75), rng.uniform(0.35, 0.7)
    tall, mouth = rng.uniform(0.55, 0.85), rng.uniform(0.08, 0.2)
    reach, grip = rng.uniform(0.3, 0.45), rng.uniform(0.55, 0.8) * tall
    handle = ellipse((top + bottom) / 2 - 0.05, rng.uniform(-0.15, 0.05), reach, grip * 0.75, -85, 85)
    body = np.concatenate(
        [
            ellipse(0, tall - mouth / 2, bottom, mouth, 5, 175),
            [[-top, -tall], [top, -tall], [bottom, tall - mouth / 2]],
        ]
    )
    body = np.concatenate([body, body[:1]])
    parts = [Part(band(handle, rng.uniform(0.12, 0.2)))]
    if rng.random() < 0.5:
        parts.append(Part(ellipse(0, tall, top * 1.35, mouth * 1.2), minor=True, material=2))
    parts += [Part(body), Part(ellipse(0, -tall, top, mouth), material=1)]
    if rng.random() < 0.4:
        y = rng.uniform(-0.2, 0.3)
        parts.append(Part(spline([(-0.5 * top, y), (0, y + 0.1), (0.5 * top, y)]), 0.1, minor=True, material=3))
    if rng.random() < 0.4:
        for x in (-0.2, 0.2):
            steam = spline([(x, -tall - 0.15), (x + 0.09, -tall - 0.3), (x - 0.06, -tall - 0.42), (x, -tall - 0.6)])
            parts.append(Part(steam, width=0.06, minor=True, material=4))
    return parts


def _fish(rng: np.random.Generator) -> list[Part]:
    deep, snout = rng.uniform(0.3, 0.55), rng.uniform(0.0, 0.3)
    root, spread, notch = rng.uniform(0.08, 0.16), rng.uniform(0.3, 0.5), rng.uniform(0.05, 0.25)
    body = spline(
        [
            (0.95, snout * 0.3),
            (0.5, -deep * 0.8),
            (0, -deep),
            (-0.6, -root),
            (-0.6, root),
            (0, deep),
            (0.5, deep * 0.8),
        ],
        closed=True,
    )
    tail = polygon((-0.5, -root), (-1.05, -spread), (-1.05 + notch, 0), (-1.05, spread), (-0.5, root))
    at = rng.uniform(-0.2, 0.15)
    fin = spline([(at + 0.3, -deep * 0.8), (at - 0.1, -deep - rng.uniform(0.15, 0.32)), (at - 0.3, -deep * 0.75)])
    belly = polygon((0.1, deep * 0.8), (-0.15, deep + rng.uniform(0.1, 0.25)), (-0.25, deep * 0.7))
    flipper = polygon((0.25, 0.02), (-0.05, -0.08), (-0.08, 0.16))
    gill = ellipse(0.3, 0, 0.14, deep * 0.62, -75, 75)
    parts = [Part(tail, material=1), Part(np.concatenate([fin, fin[:1]]), minor=True, material=1)]
    if rng.random() < 0.6:
        parts.append(Part(belly, minor=True, material=1))
    parts.append(Part(body))
    if rng.random() < 0.6:
        parts.append(Part(gill, width=0.05, minor=True, material=2))
    if rng.random() < 0.5:
        parts.append(Part(flipper, minor=True, material=1))
    parts.append(Part(ellipse(0.62, -deep * 0.25, 0.075, 0.075), minor=True, material=3))
    return parts


def _house(rng: np.random.Generator) -> list[Part]:
    half, tall = rng.uniform(0.5, 0.85), rng.uniform(0.5, 0.95)
    peak, eaves = rng.uniform(0.35, 0.8), rng.uniform(0.04, 0.2)
    ridge = rng.choice([0.0, rng.uniform(0.3, 0.6)]) * half
    roof = polygon((-half - eaves, 0.02), (-ridge, -peak), (ridge, -peak), (half + eaves, 0.02))
    parts = []
    if rng.random() < 0.6:
        x = rng.choice([-1, 1]) * rng.uniform(0.3, 0.5) * half
        parts.append(Part(rectangle(x - 0.09, -peak * 1.05, x + 0.09, -0.15), minor=True, material=2))
    parts += [Part(rectangle(-half, 0, half, tall)), Part(roof, material=1)]
    door, high = rng.uniform(-0.6, 0.6) * half, rng.uniform(0.5, 0.7) * tall
    wide = rng.uniform(0.11, 0.17)
    parts.append(Part(rectangle(door - wide, tall - high, door + wide, tall), minor=True, material=3))
    side = rng.uniform(0.1, 0.17)
    for x in (-0.55 * half, 0.0, 0.55 * half):
        if abs(x - door) > wide + side and rng.random() < 0.85:
            y = 0.35 * tall
            parts.append(Part(rectangle(x - side, y - side, x + side, y + side), minor=True, material=4))
    return parts


def _ice_cream(rng: np.random.Generator) -> list[Part]:
    scoops, radius = int(rng.integers(1, 4)), rng.uniform(0.36, 0.5)
    long = rng.uniform(0.75, 1.15)
    cone = polygon((-radius * 0.95, 0), (radius * 0.95, 0), (rng.uniform(-0.04, 0.04), long))
    parts = [Part(cone)]
    for shift in (-0.35, 0.15):
        waffle = np.array([[shift * radius, 0.04], [(shift + 0.5) * radius * 0.55, long * 0.5]])
        parts.append(Part(waffle * [rng.choice([-1.0, 1.0]), 1.0], width=0.04, minor=True, material=1))
    heights = [-0.22 - 0.95 * radius * k for k in range(scoops)]
    for k, y in reversed(list(enumerate(heights))):
        shrink, lean = 1 - 0.12 * k, rng.normal(0, 0.05)
        ball = ellipse(lean, y, radius * shrink, radius * shrink, 0, 360)
        if k == 0:
            drip = [(-radius, 0.0), (-0.5 * radius, 0.14), (-0.15 * radius, 0.02), (0.35 * radius, 0.16), (radius, 0.0)]
            ball = np.concatenate([ellipse(lean, y, radius, radius, 160, 380), spline(drip[::-1])])
            ball = np.concatenate([ball, ball[:1]])
        parts.append(Part(ball, material=2 + k % 2))
    if rng.random() < 0.45:
        parts.append(Part(ellipse(0.05, heights[-1] - radius * 0.95, 0.11, 0.11), minor=True, material=4))
    return parts


def _mushroom(rng: np.random.Generator) -> list[Part]:
    wide, tall = rng.uniform(0.6, 0.95), rng.uniform(0.45, 0.8)
    brim = rng.uniform(0.02, 0.18)
    neck, foot, long = rng.uniform(0.13, 0.24), rng.uniform(0.18, 0.36), rng.uniform(0.55, 0.95)
    stem = spline([(-neck, -0.05), (neck, -0.05), (foot, long * 0.85), (0, long), (-foot, long * 0.85)], closed=True)
    cap = np.concatenate([ellipse(0, 0, wide, tall, 180, 360), ellipse(0, 0, wide, brim, 0, 180)])
    parts = [Part(stem)]
    if rng.random() < 0.35:
        ring = spline([(-neck - 0.07, long * 0.3), (0, long * 0.38), (neck + 0.07, long * 0.3)])
        parts.append(Part(ring, width=0.08, minor=True, material=2))
    parts.append(Part(cap, material=1))
    if rng.random() < 0.65:
        for x, y in ((-0.5, -0.3), (0.02, -0.6), (0.48, -0.28), (-0.08, -0.18)):
            spot = rng.uniform(0.07, 0.15)
            x, y = x + rng.normal(0, 0.05), y + rng.normal(0, 0.05)
            parts.append(Part(ellipse(x * wide, y * tall, spot, spot * 0.85), minor=True, material=3))
    return parts


def _rocket(rng: np.random.Generator) -> list[Part]:
    thick, tip = rng.uniform(0.22, 0.36), rng.uniform(0.3, 0.5)
    reach, drop = rng.uniform(0.18, 0.36), rng.uniform(0.0, 0.22)
    hull = np.concatenate(
        [
            spline([(-0.7 * thick, 0.7), (-thick, 0.15), (-thick * 0.85, -1 + tip + 0.1), (0, -1)]),
            spline([(0, -1), (thick * 0.85, -1 + tip + 0.1), (thick, 0.15), (0.7 * thick, 0.7)]),
            [[-0.7 * thick, 0.7]],
        ]
    )
    parts = []
    if rng.random() < 0.6:
        flame = spline([(-0.5 * thick, 0.66), (-0.3 * thick, 0.9), (0, rng.uniform(1.0, 1.3)), (0.3 * thick, 0.9)])
        parts.append(Part(np.concatenate([flame, [[0.5 * thick, 0.66]], flame[:1]]), minor=True, material=3))
    for side in (-1, 1):
        fin = [(side * thick * 0.9, 0.2), (side * (thick + reach), 0.62), (side * (thick + reach), 0.8 + drop)]
        parts.append(Part(polygon(*fin, (side * thick * 0.6, 0.68)), material=1))
    parts.append(Part(hull))
    if rng.random() < 0.5:
        y = -1 + tip
        collar = np.array([[-thick * 0.72, y], [thick * 0.72, y]])
        parts.append(Part(collar, width=0.07, minor=True, material=1))
    port, windows = thick * 0.42, int(rng.integers(0, 3))
    return parts + [Part(ellipse(0, -0.25 + 0.36 * k, port, port), minor=True, material=2) for k in range(windows)]


def _sailboat(rng: np.random.Generator) -> list[Part]:
    mast, deck = rng.uniform(-0.15, 0.2), rng.uniform(0.25, 0.4)
    stern, bow, keel = -rng.uniform(0.7, 0.85), rng.uniform(0.8, 1.0), rng.uniform(0.45, 0.65)
    top, boom = -rng.uniform(0.8, 1.1), rng.uniform(0.03, 0.12)
    hull = np.concatenate(
        [
            [[stern, deck], [bow, deck - rng.uniform(0, 0.08)]],
            spline([(bow, deck), (bow * 0.75, deck + 0.75 * (keel - 0.15)), (0, keel + 0.1), (stern * 0.8, keel)]),
            [[stern, deck]],
        ]
    )
    main = polygon((mast - 0.04, top + 0.08), (mast - 0.04, deck - boom), (stern * rng.uniform(0.75, 1), deck - boom))
    jib = polygon((mast + 0.05, top + rng.uniform(0.1, 0.4)), (mast + 0.05, deck - boom), (bow * 0.9, deck - boom))
    parts = [Part(np.array([[mast, top], [mast, deck]]), width=0.06, material=1)]
    parts.append(Part(main, material=2))
    if rng.random() < 0.75:
        parts.append(Part(jib, material=3, minor=True))
    if rng.random() < 0.35:
        flag = polygon((mast, top - 0.02), (mast + 0.26, top + 0.06), (mast, top + 0.14))
        parts.append(Part(flag, minor=True, material=4))
    parts.append(Part(hull))
    return parts


def _tree(rng: np.random.Generator) -> list[Part]:
    wide, tall = rng.uniform(0.5, 0.85), rng.uniform(0.55, 0.8)
    trunk, foot, long = rng.uniform(0.08, 0.16), rng.uniform(0.12, 0.24), rng.uniform(0.65, 1.0)
    parts = [Part(polygon((-trunk, -0.2), (trunk, -0.2), (foot, long), (-foot, long)))]
    kind = rng.random()
    if kind < 0.35:  # a conifer
        tiers = int(rng.integers(2, 4))
        for k in range(tiers):
            base, apex = -0.75 * tall * k, -0.75 * tall * k - tall
            half = wide * (1 - 0.24 * k)
            parts.append(Part(polygon((-half, base + 0.1), (0, apex + 0.1), (half, base + 0.1)), material=1))
        return parts
    lobes, depth = int(rng.integers(6, 10)), rng.uniform(0.03, 0.13) * (kind < 0.85)
    angle = np.linspace(0, 2 * np.pi, 64)
    radius = 1 + depth * (np.abs(np.sin(lobes / 2 * angle + rng.uniform(0, 3))) * 2 - 1)
    radius[-1] = radius[0]
    crown = np.stack([wide * radius * np.cos(angle), -0.45 * tall + tall * radius * np.sin(angle)], axis=1)
    parts.append(Part(crown, material=1))
    if rng.random() < 0.45:
        for _ in range(int(rng.integers(2, 6))):
            x, y = rng.uniform(-0.55, 0.55, 2)
            parts.append(Part(ellipse(x * wide, (y - 0.45) * tall, 0.08, 0.08), minor=True, material=2))
    return parts


def _umbrella(rng: np.random.Generator) -> list[Part]:
    wide, tall = rng.uniform(0.75, 1.0), rng.uniform(0.5, 0.85)
    scallops, sag = int(rng.integers(3, 7)), rng.uniform(0.05, 0.13)
    long, hook = rng.uniform(0.6, 0.95), rng.uniform(0.12, 0.2)
    x = np.linspace(1, -1, 12 * scallops + 1)
    hem = np.stack([x * wide, -sag * np.abs(np.sin(np.pi * (x + 1) / 2 * scallops))], axis=1)
    canopy = np.concatenate([ellipse(0, 0, wide, tall, 180, 360), hem])
    shaft = np.concatenate([[[0, -tall - 0.12], [0, long - 0.1]], ellipse(-hook, long - 0.1, hook, hook, 0, 170, 12)])
    parts = [Part(shaft, width=rng.uniform(0.06, 0.1)), Part(canopy, material=1)]
    for k in range(1, scallops):
        foot = (1 - 2 * k / scallops) * wide
        rib = spline([(0, -tall), (foot * 0.72, -tall * 0.68), (foot, -0.02)])
        parts.append(Part(rib, width=0.03, minor=True, material=2))
    return parts


PROGRAMS: dict[str, Callable[[np.random.Generator], list[Part]]] = {
    "car": _car,
    "cup": _cup,
    "fish": _fish,
    "house": _house,
    "ice cream": _ice_cream,
    "mushroom": _mushroom,
    "rocket": _rocket,
    "sailboat": _sailboat,
    "tree": _tree,
    "umbrella": _umbrella,
}


def draw_object(name: str, rng: np.random.Generator) -> list[Part]:
    """Draw one instance of an object.

    Args:
        name: A key of `PROGRAMS`.
        rng: Source of the proportions and of the direction that the object faces.

    Returns:
        The parts in painting order, centred, the longer side from -1 to 1.
    """
    parts = PROGRAMS[name](rng)
    points = np.concatenate([part.outline for part in parts])
    low, high = points.min(axis=0), points.max(axis=0)
    scale = 2 / float((high - low).max())
    facing = np.array([rng.choice([-1.0, 1.0]), 1.0])
    return [
        replace(part, curve=(part.curve - (low + high) / 2) * scale * facing, width=part.width * scale)
        for part in parts
    ]
