"""Random closed contours of several families, for procedural drawings."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
"""Positions (x, y) along a line, (N, 2)."""

_CORNERS = 64
"""Corners of a smooth contour."""


def contour(draw: np.random.Generator) -> Points:
    """Draw a closed contour of a random family around the origin, of a radius of about 1, stretched at random."""
    family = FAMILIES[draw.integers(len(FAMILIES))]
    stretched: Points = family(draw) * [1, np.exp(draw.normal() * 0.4)]
    return stretched


def fourier_blob(draw: np.random.Generator) -> Points:
    """Draw a circle whose radius has random harmonics, the fewer the higher."""
    angle = _angles()
    harmonics = (
        draw.normal() * 0.35 / order * np.cos(order * angle + draw.uniform(0, 2 * np.pi)) for order in range(1, 6)
    )
    return _polar(1 + sum(harmonics, np.zeros(len(angle))), angle)


def superformula(draw: np.random.Generator) -> Points:
    """Draw a star, a flower or a rounded polygon by Gielis' superformula with random exponents."""
    angle = _angles()
    symmetry = draw.integers(2, 9)
    outer, cosine, sine = draw.uniform(0.3, 3, 3)
    sides = np.abs(np.cos(symmetry * angle / 4)) ** cosine + np.abs(np.sin(symmetry * angle / 4)) ** sine
    radius = sides ** (-1 / outer)
    return _polar(radius / radius.max(), angle)


def polygon(draw: np.random.Generator) -> Points:
    """Draw a polygon of three to eight corners, with regular or random angles and radii."""
    corners = draw.integers(3, 9)
    if draw.random() < 0.5:
        angle = np.sort(draw.uniform(0, 2 * np.pi, corners))
    else:
        angle = np.arange(corners) * 2 * np.pi / corners + draw.uniform(0, 2 * np.pi)
    radius = draw.uniform(0.5, 1, corners) if draw.random() < 0.5 else np.ones(corners)
    points = _polar(radius, angle)
    return np.concatenate([points, points[:1]])


def superellipse(draw: np.random.Generator) -> Points:
    """Draw an ellipse, or a box with rounded corners."""
    angle = _angles()
    exponent = draw.choice([1.0, 0.5, 0.25])
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([np.sign(x) * np.abs(x) ** exponent for x in (cosine, sine)], axis=1)


def mirrored_profile(draw: np.random.Generator) -> Points:
    """Draw a profile and its mirror image, as of a vase or a person."""
    knots = draw.integers(4, 9)
    widths = draw.uniform(0.1, 0.9, knots)
    widths[[0, -1]] *= draw.random(2)
    height = np.linspace(-1, 1, 33)
    width = np.interp(height, np.linspace(-1, 1, knots), widths)
    if draw.random() < 0.6:  # a smooth profile
        width = np.convolve(np.pad(width, 3, mode="edge"), np.ones(7) / 7, "valid")
    side = np.stack([width, height], axis=1)
    return np.concatenate([side, side[::-1] * [-1, 1], side[:1]])


FAMILIES: tuple[Callable[[np.random.Generator], Points], ...] = (
    fourier_blob,
    superformula,
    polygon,
    superellipse,
    mirrored_profile,
)
"""Families of contours, all equally likely."""


def _angles() -> npt.NDArray[np.float64]:
    return np.linspace(0, 2 * np.pi, _CORNERS + 1)


def _polar(radius: npt.NDArray[np.float64], angle: npt.NDArray[np.float64]) -> Points:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
