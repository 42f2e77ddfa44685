import numpy as np
import pytest

from crossx.data.shapes.curves import rectangle
from crossx.data.shapes.objects import PROGRAMS, draw_object
from crossx.data.shapes.sketch import _hatching, _visible, draw_sketch


@pytest.mark.parametrize("name", PROGRAMS)
def test_sketches_stay_in_the_unit_square(name: str) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        strokes = draw_sketch(draw_object(name, rng), rng)
        points = np.concatenate(strokes)
        assert points.dtype == np.float32
        assert points.min() >= 0
        assert points.max() <= 1
        assert np.ptp(points, axis=0).max() > 0.3
        assert all(len(stroke) >= 2 for stroke in strokes)


def test_two_sketches_of_one_object_differ() -> None:
    parts = draw_object("house", np.random.default_rng(0))
    first, second = (draw_sketch(parts, np.random.default_rng(seed)) for seed in (1, 2))
    assert len(first) != len(second) or not np.allclose(first[0].mean(axis=0), second[0].mean(axis=0))


def test_lines_behind_a_later_part_are_not_drawn() -> None:
    behind, front = rectangle(0, 0, 1, 1), rectangle(0.5, -1, 2, 2)
    (left,) = _visible(behind, [front])
    assert left[:, 0].max() < 0.5
    # One piece through the corner where the outline begins: top right to bottom right by way of the left side.
    assert left[0, 0] > 0.4
    assert left[-1, 0] > 0.4
    assert _visible(rectangle(0.6, 0, 1, 1), [front]) == []
    assert _visible(behind, [])[0] is behind


def test_hatching_stays_inside() -> None:
    lines = _hatching(rectangle(0, 0, 1, 2), np.random.default_rng(0))
    assert len(lines) > 3
    points = np.concatenate(lines)
    assert (points >= 0).all()
    assert (points <= [1, 2]).all()
