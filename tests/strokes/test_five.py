"""Five-element rows: round trip, ends, scale, and drawings that are made to fit."""

import numpy as np
import numpy.typing as npt
import pytest

from crossx.core.errors import InputError
from crossx.strokes.five import fit_points, from_five, offset_scale, to_five
from crossx.strokes.sequence import Strokes


def stroke(*points: tuple[float, float]) -> npt.NDArray[np.float32]:
    return np.array(points, dtype=np.float32)


def random_drawing(rng: np.random.Generator) -> Strokes:
    """Between 1 and 30 strokes of 1 to 60 points anywhere on the canvas."""
    return [rng.random((rng.integers(1, 61), 2)).astype(np.float32) for _ in range(rng.integers(1, 31))]


def test_rows_by_hand() -> None:
    rows = to_five([stroke((0.5, 0.75), (1.0, 0.75)), stroke((0.0, 0.25))], scale=0.25)
    assert rows.dtype == np.float32
    assert rows.tolist() == [
        [0, 1, 1, 0, 0],  # from the centre, a quarter down
        [2, 0, 0, 1, 0],
        [-4, -2, 0, 1, 0],
        [0, 0, 0, 0, 1],
    ]


@pytest.mark.parametrize("seed", range(50))
def test_round_trip_of_random_drawings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawing, scale = random_drawing(rng), float(np.exp(rng.normal(-3, 1)))
    rows = to_five(drawing, scale)
    assert rows.shape == (sum(map(len, drawing)) + 1, 5)
    assert (rows[:, 2:].sum(1) == 1).all()
    found = from_five(rows, scale)
    assert [len(s) for s in found] == [len(s) for s in drawing]
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(drawing), rtol=0, atol=1e-6)


def test_a_drawing_of_one_point() -> None:
    rows = to_five([stroke((0.25, 0.5))], 0.5)
    assert rows.tolist() == [[-0.5, 0, 0, 1, 0], [0, 0, 0, 0, 1]]
    assert from_five(rows, 0.5)[0].tolist() == [[0.25, 0.5]]


def test_what_stands_behind_the_end_is_not_read() -> None:
    rows = to_five([stroke((0, 0), (1, 1))], 1.0)
    padded = np.concatenate([rows, rows, np.full((1, 5), np.nan, np.float32)])
    assert [s.tolist() for s in from_five(padded, 1.0)] == [[[0, 0], [1, 1]]]


def test_a_last_point_without_lift_ends_its_stroke() -> None:
    rows = to_five([stroke((0, 0), (1, 1)), stroke((0, 1), (1, 0))], 1.0)
    rows[3, 2:] = [1, 0, 0]
    for cut in (rows, rows[:-1]):  # with and without an end row
        assert [s.tolist() for s in from_five(cut, 1.0)] == [[[0, 0], [1, 1]], [[0, 1], [1, 0]]]


def test_rows_that_end_at_once_are_no_stroke() -> None:
    assert from_five(np.array([[0, 0, 0, 0, 1.0]]), 1.0) == []
    assert from_five(np.zeros((0, 5)), 1.0) == []


def test_scale_is_the_deviation_of_all_offsets() -> None:
    drawings = [[stroke((0.5, 0.5), (0.75, 0.5))], [stroke((0.5, 0.25))]]
    assert offset_scale(drawings) == pytest.approx(np.std([0, 0, 0.25, 0, 0, -0.25]))
    rng = np.random.default_rng(0)
    several = [random_drawing(rng) for _ in range(20)]
    rows = np.concatenate([to_five(drawing, offset_scale(several))[:-1] for drawing in several])
    assert rows[:, :2].std() == pytest.approx(1, abs=1e-5)


def test_a_short_drawing_is_simplified_with_the_first_tolerance() -> None:
    (kept,) = fit_points([stroke((0, 0), (0.5, 0.01), (1, 0), (1, 1))], 0.02, 100)
    assert kept.tolist() == [[0, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize("tolerance", [0.0, 0.001, 0.015])
def test_long_drawings_fit_and_lose_no_stroke(tolerance: float) -> None:
    rng = np.random.default_rng(1)
    walks = [np.clip(0.5 + rng.normal(0, 0.02, (300, 2)).cumsum(0), 0, 1).astype(np.float32) for _ in range(8)]
    for most in (100, 40, 8):
        fitted = fit_points(walks, tolerance, most)
        assert len(fitted) == 8
        assert sum(map(len, fitted)) <= most
        for short, long in zip(fitted, walks, strict=True):
            assert short[0].tolist() == long[0].tolist()
            assert len(short) == 1 or short[-1].tolist() == long[-1].tolist()
    assert sum(map(len, fit_points(walks, tolerance, 100))) > 40  # no more is left out than must be


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        ([], r"^strokes: must have at least one stroke, got none$"),
        ([np.zeros((0, 2), np.float32)], r"^strokes\[0\]: must have the shape \(N, 2\) with N >= 1, got \(0, 2\)$"),
        ([stroke((0, 0), (0, float("nan")))], r"^strokes\[0\]: must be finite, got NaN or infinity$"),
        ([stroke((0, 0)), stroke((0, float("inf")))], r"^strokes\[1\]: must be finite"),
        ([stroke((0, 20000))], r"^strokes\[0\]: must have coordinates in \[-10000, 10000\], got 20000$"),
        ([stroke((0, 200))], r"^strokes\[0\]: must be normalised to \[0, 1\], got coordinates in \[0, 200\]$"),
    ],
)
def test_bad_drawings(drawing: Strokes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_five(drawing, 1.0)
    with pytest.raises(InputError, match=message):
        offset_scale([drawing])


def test_bad_arguments() -> None:
    dot = [stroke((0, 0))]
    for scale in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match=r"^scale: must be above 0"):
            to_five(dot, scale)
        with pytest.raises(InputError, match=r"^scale: must be above 0"):
            from_five(np.zeros((1, 5)), scale)
    with pytest.raises(InputError, match=r"^rows: must have the shape \(N, 5\), got \(4, 3\)$"):
        from_five(np.zeros((4, 3)), 1.0)
    with pytest.raises(InputError, match=r"^rows: must be finite, got NaN or infinity$"):
        from_five(np.array([[np.nan, 0, 1, 0, 0]]), 1.0)
    with pytest.raises(InputError, match=r"^drawings: must have at least one drawing, got none$"):
        offset_scale([])
    with pytest.raises(InputError, match=r"^drawings: must have offsets that differ"):
        offset_scale([[stroke((0.5, 0.5))]])
    with pytest.raises(InputError, match=r"^max_points: must be at least the number of strokes, 3, got 2$"):
        fit_points(dot * 3, 0.01, 2)
