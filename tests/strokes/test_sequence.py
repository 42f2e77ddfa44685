from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from crossx.core.errors import InputError
from crossx.strokes.sequence import fit_unit_square, simplify


def stroke(*points: tuple[float, float]) -> npt.NDArray[np.float32]:
    return np.array(points, dtype=np.float32)


def distance_to_polyline(point: npt.NDArray[np.float32], line: npt.NDArray[np.float32]) -> float:
    """Brute force: the polyline sampled densely."""
    t = np.linspace(0, 1, 200)[:, None]
    samples = np.concatenate([a + t * (b - a) for a, b in pairwise(line)])
    return float(np.linalg.norm(samples - point, axis=1).min())


def test_simplify_drops_points_on_a_line_and_keeps_a_corner() -> None:
    bent = stroke((0, 0), (1, 0), (2, 0), (2, 1), (2, 2))
    (kept,) = simplify([bent], 0.01)
    assert kept.tolist() == [[0, 0], [2, 0], [2, 2]]


def test_simplify_keeps_small_bends_only_below_their_height() -> None:
    bent = stroke((0, 0), (1, 0.3), (2, 0))
    assert len(simplify([bent], 0.29)[0]) == 3
    assert len(simplify([bent], 0.31)[0]) == 2


def test_simplify_of_a_closed_stroke_keeps_its_shape() -> None:
    square = stroke((0, 0), (0.5, 0), (1, 0), (1, 1), (0, 1), (0, 0))
    (kept,) = simplify([square], 0.1)
    assert kept.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]


@pytest.mark.parametrize("tolerance", [0.0, 0.02, 0.2])
def test_simplify_never_strays_farther_than_the_tolerance(tolerance: float) -> None:
    rng = np.random.default_rng(0)
    walk = rng.normal(0, 0.1, (80, 2)).cumsum(axis=0).astype(np.float32)
    (kept,) = simplify([walk], tolerance)
    assert len(kept) <= len(walk)
    assert max(distance_to_polyline(point, kept) for point in walk) <= tolerance + 4e-3


def test_simplify_survives_a_stroke_longer_than_the_recursion_limit() -> None:
    comb = np.stack([np.arange(2000.0), np.arange(2000) % 2], axis=1).astype(np.float32)
    assert len(simplify([comb], 0.1)[0]) == 2000


def test_simplify_leaves_dots_alone() -> None:
    assert simplify([stroke((3, 4))], 1.0)[0].tolist() == [[3, 4]]


def test_fit_unit_square_keeps_the_aspect_and_centres() -> None:
    (wide,) = fit_unit_square([stroke((10, 20), (30, 25))], margin=0.1)
    np.testing.assert_allclose(wide, [[0.1, 0.4], [0.9, 0.6]], atol=1e-6)
    assert wide.dtype == np.float32


def test_fit_unit_square_moves_all_strokes_together() -> None:
    first, second = fit_unit_square([stroke((0, 0), (1, 0)), stroke((0, 2), (1, 2))], margin=0.0)
    np.testing.assert_allclose(first, [[0.25, 0], [0.75, 0]], atol=1e-6)
    np.testing.assert_allclose(second, [[0.25, 1], [0.75, 1]], atol=1e-6)


def test_fit_unit_square_of_next_to_nothing() -> None:
    assert fit_unit_square([]) == []
    assert fit_unit_square([stroke((7, 7))])[0].tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize(
    "bad",
    [stroke((0, np.nan)), stroke((np.inf, 0)), np.zeros((0, 2), np.float32), np.zeros((4, 3), np.float32)],
)
def test_malformed_strokes_are_refused_by_their_number(bad: npt.NDArray[np.float32]) -> None:
    good = stroke((0, 0), (1, 1))
    with pytest.raises(InputError, match=r"strokes\[1\]"):
        simplify([good, bad], 0.1)
    with pytest.raises(InputError, match=r"strokes\[1\]"):
        fit_unit_square([good, bad])


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="tolerance: must be at least 0, got -1"):
        simplify([], -1)
    with pytest.raises(InputError, match=r"margin: must be in \[0, 0\.5\), got 0\.5"):
        fit_unit_square([], 0.5)
