"""Random surfaces: plain, uneven, striped, spotted, checked or grainy, in random colours."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats: TypeAlias = npt.NDArray[np.floating[Any]]


def surface(size: int, rng: np.random.Generator, plain: float = 0.4) -> Floats:
    """Draw a surface.

    Args:
        size: Side in pixels.
        rng: Source of all random numbers.
        plain: Share of surfaces of one colour, in [0, 1]; all others are equally frequent.

    Returns:
        RGB in [0, 1], (size, size, 3).
    """
    first = colour(rng)
    second = first + rng.uniform(0.3, 0.8) * (colour(rng) - first)
    if rng.random() < plain:
        mix: Floats = np.zeros((size, size))
    else:
        mix = _PATTERNS[rng.integers(len(_PATTERNS))](size, rng)
    return np.asarray(first + mix[..., None] * (second - first))


def colour(rng: np.random.Generator) -> Floats:
    """A colour in [0, 1], (3,), from grey to vivid."""
    vivid = rng.random(3)
    return np.asarray(vivid + rng.uniform(0, 0.6) * (vivid.mean() - vivid))


def uneven(size: int, rng: np.random.Generator) -> Floats:
    """Smooth hills and valleys in [0, 1], (size, size), a few across."""
    cells = int(rng.integers(2, 9))
    rough = Image.fromarray(rng.random((cells, cells), np.float32))
    return np.asarray(np.clip(np.asarray(rough.resize((size, size), Image.Resampling.BICUBIC)), 0, 1))


def _stripes(size: int, rng: np.random.Generator) -> Floats:
    along, _ = _turned(size, rng)
    return np.asarray(along % 1 < rng.uniform(0.3, 0.7), np.float64)


def _checks(size: int, rng: np.random.Generator) -> Floats:
    along, across = _turned(size, rng)
    return np.asarray((np.floor(along) + np.floor(across)) % 2)


def _spots(size: int, rng: np.random.Generator) -> Floats:
    along, across = _turned(size, rng)
    return np.asarray((along % 1 - 0.5) ** 2 + (across % 1 - 0.5) ** 2 < rng.uniform(0.04, 0.16), np.float64)


def _grains(size: int, rng: np.random.Generator) -> Floats:
    return rng.random((size, size))


_PATTERNS = (uneven, _stripes, _checks, _spots, _grains)


def _turned(size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Coordinates of a pattern that repeats two to eight times and is turned and shifted at random."""
    angle, often = rng.uniform(0, np.pi), rng.uniform(2, 8)
    y, x = np.mgrid[:size, :size] * (often / size)
    turned = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    return turned[0] + rng.random(), turned[1] + rng.random()
