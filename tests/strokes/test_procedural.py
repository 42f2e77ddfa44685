"""Procedural sketches: a pure function of number, seed and arguments, with ink where lines are."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox
from crossx.strokes.procedural import DARKNESSES, WIDTHS, procedural_drawing, procedural_sketches

SIZE = 32
Images = npt.NDArray[np.uint8]


def ink(images: Images) -> npt.NDArray[np.float64]:
    """Share of each image that is covered by black, (N,)."""
    covered: npt.NDArray[np.float64] = (1 - images.astype(np.float64) / 255).mean((1, 2))
    return covered


@pytest.fixture(scope="module")
def sketches() -> Images:
    return procedural_sketches(range(200), SIZE)


def test_dark_lines_on_white_that_all_differ(sketches: Images) -> None:
    assert sketches.shape == (200, SIZE, SIZE)
    assert sketches.dtype == np.uint8
    assert len({image.tobytes() for image in sketches}) == 200
    assert (sketches.max((1, 2)) == 255).all()
    assert (sketches.min((1, 2)) < 128).all()
    covered = ink(sketches)
    assert covered.min() > 0.01  # something is drawn
    assert covered.max() < 0.5  # as lines, not as areas


def test_a_sketch_depends_on_its_number_and_the_seed_alone(sketches: Images) -> None:
    chunks = [procedural_sketches(range(first, first + 50), SIZE) for first in range(0, 200, 50)]
    np.testing.assert_array_equal(np.concatenate(chunks), sketches)
    np.random.seed(1)  # the global state does not matter
    np.testing.assert_array_equal(procedural_sketches([199, 3, 3], SIZE), sketches[[199, 3, 3]])
    other = procedural_sketches(range(20), SIZE, seed=1)
    assert all((a != b).any() for a, b in zip(other, sketches[:20], strict=True))


def test_one_number_is_one_drawing_at_every_size(sketches: Images) -> None:
    large = procedural_sketches(range(20), 4 * SIZE).reshape(20, SIZE, 4, SIZE, 4).mean((2, 4))
    assert np.abs(large - sketches[:20]).mean() < 6  # of 255; two different sketches differ by more
    assert np.abs(large - sketches[1:21]).mean() > 20


def test_lines_lie_inside_of_the_image() -> None:
    """At a distance from its edge that is drawn at random."""
    borders = []
    for i in range(200):
        strokes = procedural_drawing(philox(0, i, Stream.PROCEDURAL_SKETCHES))
        assert strokes
        points = np.concatenate(strokes)
        assert np.isfinite(points).all()
        borders.append(min(points.min(), 1 - points.max()))
    assert min(borders) >= 0.02 - 1e-6
    assert max(borders) <= 0.2 + 1e-6
    assert max(borders) - min(borders) > 0.15


def test_widths_of_lines() -> None:
    thin, thick = (procedural_sketches(range(20), SIZE, widths=(w, w)) for w in WIDTHS)
    assert (ink(thick) > ink(thin)).all()
    between = ink(procedural_sketches(range(20), SIZE))
    assert (between >= ink(thin)).all()
    assert (between <= ink(thick)).all()


def test_darknesses_of_lines() -> None:
    wide = (0.1, 0.1)  # wide enough for a pixel that is covered wholly
    for darkness in (0.25, 1.0):
        found = procedural_sketches(range(20), SIZE, darknesses=(darkness, darkness), widths=wide)
        np.testing.assert_array_equal(found.min((1, 2)), round(255 * (1 - darkness)))
    darkest = procedural_sketches(range(100), SIZE, widths=wide).min((1, 2)) / 255
    assert darkest.min() >= 0
    assert darkest.max() <= 1 - DARKNESSES[0] + 0.01
    assert len(set(darkest)) > 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": (0, 0.1)}, r"^widths: must be in \(0, 0\.5\], got 0$"),
        ({"widths": (0.1, 0.6)}, r"^widths: must be in \(0, 0\.5\], got 0\.6$"),
        ({"widths": (0.1, float("nan"))}, r"^widths: must be in \(0, 0\.5\], got nan$"),
        ({"widths": (0.2, 0.1)}, r"^widths: must have the smaller number first, got 0\.2, 0\.1$"),
        ({"darknesses": (0.0, 1.0)}, r"^darknesses: must be in \(0, 1\], got 0\.0$"),
        ({"darknesses": (0.5, 1.5)}, r"^darknesses: must be in \(0, 1\], got 1\.5$"),
        ({"darknesses": (1.0, 0.5)}, r"^darknesses: must have the smaller number first, got 1\.0, 0\.5$"),
        ({"size": 0}, r"^size: must be at least 1, got 0$"),
        ({"seed": -1}, r"^seed: must be in \[0, 4294967295\], got -1$"),
        ({"indices": []}, r"^indices: must have at least one number, got none$"),
    ],
)
def test_mistakes_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        procedural_sketches(**{"indices": [0], "size": SIZE, **arguments})
