"""Procedural sketches: random contours with parts, as strokes and as images; no real drawing is used."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.seeding import Stream, check_seed, philox
from crossx.strokes.contours import Points, contour
from crossx.strokes.raster import rasterise
from crossx.strokes.sequence import Strokes, fit_unit_square

WIDTHS = (0.7 / 32, 1.5 / 32)
"""Thinnest and thickest line of `procedural_sketches`, as shares of the image's side."""
DARKNESSES = (0.8, 1.0)
"""Lightest and darkest line of `procedural_sketches`, 1 for black."""
_MARGINS = (0.02, 0.2)
"""Smallest and largest border around a drawing, as shares of the image's side."""


def procedural_sketches(
    indices: Sequence[int],
    size: int,
    seed: int = 0,
    widths: tuple[float, float] = WIDTHS,
    darknesses: tuple[float, float] = DARKNESSES,
) -> npt.NDArray[np.uint8]:
    """Draw random sketches as images, dark lines on white.

    Args:
        indices: Numbers of the N sketches, at least one; each sketch depends on its number, seed and arguments alone.
        size: Side of the images in pixels.
        seed: Seed of all random numbers, at least 0.
        widths: Range of the line widths as shares of the image's side, each in (0, 0.5]; drawn evenly by their
            logarithm.
        darknesses: Range of the darkness of the lines, each in (0, 1], where 1 is black.

    Returns:
        (N, size, size), 255 where nothing is drawn.

    Raises:
        InputError: When a number is out of range, a range has its larger end first, or there is no index.
    """
    check_seed(seed, "seed")
    for name, value, interval in (
        *(("widths", width, "(0, 0.5]") for width in widths),
        *(("darknesses", darkness, "(0, 1]") for darkness in darknesses),
    ):
        must_be_in(name, value, interval)
    for name, (least, most) in (("widths", widths), ("darknesses", darknesses)):
        if least > most:
            raise InputError(f"{name}: must have the smaller number first, got {least}, {most}")
    if not indices:
        raise InputError("indices: must have at least one number, got none")
    images = []
    for index in indices:
        draw = philox(seed, index, Stream.PROCEDURAL_SKETCHES)
        width = np.exp(draw.uniform(*np.log(widths))) * size
        image = rasterise(procedural_drawing(draw), size, width).astype(np.float64)
        images.append(255 - (255 - image) * draw.uniform(*darknesses))
    return np.stack(images).round().astype(np.uint8)


def procedural_drawing(draw: np.random.Generator) -> Strokes:
    """Draw a contour with up to four inner and outer parts, often mirrored, sometimes repeated side by side.

    Args:
        draw: Source of all random numbers.

    Returns:
        Strokes in the unit square, with a random border.
    """
    body = contour(draw)
    strokes = [body]
    mirrored = draw.random() < 0.5
    for _ in range(draw.integers(0, 5)):
        part = _part(draw, body)
        strokes += [part, part * [-1, 1]] if mirrored else [part]
    if draw.random() < 0.15:
        copies = draw.integers(2, 4)
        strokes = [s * 0.6 + [(i - (copies - 1) / 2) * 1.6, 0] for i in range(copies) for s in strokes]
    # Most drawings stand upright.
    angle = draw.normal() * 0.25 if draw.random() < 0.8 else draw.uniform(0, 2 * np.pi)
    turned = [_rotated(stroke, angle).astype(np.float32) for stroke in strokes]
    return fit_unit_square(turned, draw.uniform(*_MARGINS))


def _part(draw: np.random.Generator, body: Points) -> Points:
    """Draw a part of the body: a contour inside it, a contour at its outline, a curve inside it, or a limb."""
    kind = draw.random()
    extent = np.abs(body).max(axis=0)
    at: Points = body[draw.integers(len(body))]
    part: Points
    if kind < 0.35:
        part = contour(draw) * draw.uniform(0.08, 0.4) + draw.uniform(-0.5, 0.5, 2) * extent
    elif kind < 0.7:
        outer = contour(draw) * draw.uniform(0.12, 0.5) * [1, draw.uniform(0.3, 1)]
        outer = _rotated(outer, draw.uniform(0, 2 * np.pi))
        part = outer - outer[draw.integers(len(outer))] + at
    elif kind < 0.85:
        part = _bezier(draw.normal(size=(4, 2)) * 0.42) * draw.uniform(0.3, 1.2) + draw.uniform(-0.4, 0.4, 2) * extent
    else:
        limb = _rotated(np.array([[0, draw.uniform(0.3, 1)]]), draw.normal() * 0.6)
        part = np.concatenate([at[None], at + limb])
    return part


def _bezier(control: Points) -> Points:
    """Sample a cubic Bézier curve of four control points at 16 places."""
    t = np.linspace(0, 1, 16)[:, None]
    a, b, c, d = control
    curve: Points = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    return curve


def _rotated(points: Points, angle: float) -> Points:
    cosine, sine = np.cos(angle), np.sin(angle)
    rotated: Points = points @ np.array([[cosine, -sine], [sine, cosine]])
    return rotated
