"""Coloured pictures of drawings: outlines filled at random before a random background, as stand-ins for photos."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from crossx.data.surfaces import Floats, colour, surface, uneven
from crossx.strokes.sequence import Strokes

_GAP = 0.08
"""Distance in sides of the unit square up to which the end of a stroke belongs to the start of the next one."""
_FULL = 0.35
"""Share of its box from which an open outline is filled, too: the side of a cup, which another stroke closes."""
_FINER = 4


def coloured(strokes: Strokes, size: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Fill the closed outlines of a drawing, the largest first, and leave out most of the lines between them.

    Colours, patterns, background, light, line width and camera are random, and say nothing of what is drawn.

    Args:
        strokes: A drawing in the unit square.
        size: Side of the picture in pixels.
        rng: Source of all random numbers.

    Returns:
        RGB, (size, size, 3).
    """
    picture = _background(size, rng)
    # A photo shows its object smaller or larger than the sketch, and not in the same place.
    zoom = rng.uniform(0.7, 1)
    shift = rng.uniform(-0.5, 0.5, 2) * (1.05 - zoom)
    chains = [0.5 + zoom * (chain - 0.5) + shift for chain in sorted(outlines(strokes), key=_area, reverse=True)]
    filled = [len(c) > 2 and (np.linalg.norm(c[0] - c[-1]) <= _GAP or _fullness(c) > _FULL) for c in chains]
    angle = rng.uniform(0, 2 * np.pi)
    light = np.array([np.cos(angle), np.sin(angle)])
    if rng.random() < 0.5:
        cast = [chain - rng.uniform(0.02, 0.08) * light for chain, full in zip(chains, filled, strict=True) if full]
        picture *= 1 - rng.uniform(0.2, 0.6) * _blurred(_mask(size, cast), 0.03)[..., None]
    materials = [surface(size, rng) for _ in range(3)]  # parts that share one are parts of one thing
    lines = rng.uniform(0.2, 0.6) if rng.random() < 0.5 else None  # how dark outlines are, if they are drawn
    width, relief = rng.uniform(0.01, 0.05), rng.uniform(0, 0.6)
    for chain, full in zip(chains, filled, strict=True):
        material = materials[rng.integers(len(materials))]
        if full:
            inside = _mask(size, [chain])
            picture += inside[..., None] * (material * _shade(inside, light, relief)[..., None] - picture)
        if lines is not None or not full:
            drawn = _mask(size, [chain], width)[..., None]
            picture += drawn * (material * (1 if lines is None else lines) - picture)
    return _camera(picture, rng)


def outlines(strokes: Strokes) -> list[npt.NDArray[np.float32]]:
    """Join strokes of which one begins where the one before it ends, such as the sides of a box."""
    chains: list[npt.NDArray[np.float32]] = []
    for stroke in strokes:
        if chains and np.linalg.norm(chains[-1][-1] - stroke[0]) <= _GAP < np.linalg.norm(
            chains[-1][-1] - chains[-1][0]
        ):
            chains[-1] = np.concatenate([chains[-1], stroke])
        else:
            chains.append(stroke)
    return chains


def _background(size: int, rng: np.random.Generator) -> Floats:
    """A wall, often a ground with its own surface, and a few blurred things, (size, size, 3)."""
    picture = surface(size, rng, plain=0.6)
    y, x = np.mgrid[:size, :size] / size
    if rng.random() < 0.5:
        picture = np.where(
            (y > rng.uniform(0.3, 0.9) + rng.normal(0, 0.15) * (x - 0.5))[..., None], surface(size, rng), picture
        )
    for _ in range(rng.integers(0, 4)):
        centre, radius = rng.random(2), rng.uniform(0.05, 0.3)
        near = np.exp(-((((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / radius**2) ** rng.integers(1, 4)))
        picture = picture + rng.uniform(0.3, 1) * near[..., None] * (colour(rng) - picture)
    return picture * (1 + rng.uniform(0, 0.6) * (uneven(size, rng)[..., None] - 0.5))


def _mask(size: int, chains: Sequence[Floats], width: float | None = None) -> Floats:
    """Coverage in [0, 1] of areas, or of lines of a width in sides of the picture, (size, size)."""
    mask = Image.new("L", (size * _FINER, size * _FINER))
    pen = ImageDraw.Draw(mask)
    for chain in chains:
        points = [(float(x), float(y)) for x, y in size * _FINER * chain]
        if width is None:
            pen.polygon(points, fill=255)
        else:
            pen.line(points, fill=255, width=max(1, round(size * _FINER * width)), joint="curve")
    return np.asarray(mask.reduce(_FINER), np.float64) / 255


def _shade(inside: Floats, light: Floats, relief: float) -> Floats:
    """Brightness of a part that bulges: brighter on the side of the light, and darker on the other."""
    down, right = np.gradient(_blurred(inside, 0.08))
    slope = right * light[0] + down * light[1]
    return np.asarray(np.clip(1 - relief * 0.15 * len(inside) * slope, 0.3, 1.7))


def _blurred(values: Floats, radius: float) -> Floats:
    """Values in [0, 1], blurred by a radius in sides of the picture."""
    image = Image.fromarray((255 * values).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius * len(values)))
    return np.asarray(image, np.float64) / 255


def _camera(picture: Floats, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Exposure, tint, contrast, blur and noise, RGB, (size, size, 3)."""
    exposed = 0.5 + rng.uniform(0.7, 1.1) * (picture * np.exp(rng.normal(0, 0.08, 3) + rng.normal(0, 0.1)) - 0.5)
    image = Image.fromarray((255 * np.clip(exposed, 0, 1)).astype(np.uint8))
    blurred = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.015) * len(picture)))
    noise = 255 * rng.uniform(0, 0.03) * rng.standard_normal(picture.shape)
    return np.clip(np.asarray(blurred, np.float64) + noise, 0, 255).astype(np.uint8)


def _area(chain: Floats) -> float:
    x, y = chain.T
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2


def _fullness(chain: Floats) -> float:
    return _area(chain) / max(float(np.ptp(chain, axis=0).prod()), 1e-6)
