import numpy as np

from crossx.data.shapes.curves import ellipse, rectangle
from crossx.data.shapes.hand import draw_by_hand

CIRCLE = ellipse(0.5, 0.5, 0.3, 0.3, points=100)
SQUARE = rectangle(0.2, 0.2, 0.8, 0.8)


def test_a_perfect_hand_follows_the_curve() -> None:
    for seed in range(10):
        strokes = draw_by_hand([CIRCLE], np.random.default_rng(seed), wobble=0.0, slip=0.0)
        radius = np.linalg.norm(np.concatenate(strokes) - 0.5, axis=1)
        np.testing.assert_allclose(radius, 0.3, atol=0.002)


def test_the_same_numbers_draw_the_same() -> None:
    first, again = (draw_by_hand([CIRCLE, SQUARE], np.random.default_rng(3)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_the_pen_is_lifted_at_the_corners_now_and_then() -> None:
    pieces = {len(draw_by_hand([SQUARE], np.random.default_rng(seed), slip=0.0)) for seed in range(20)}
    assert pieces == {1, 4}


def test_a_circle_has_no_corner_to_lift_the_pen_at() -> None:
    assert {len(draw_by_hand([CIRCLE], np.random.default_rng(seed))) for seed in range(20)} == {1}


def test_the_hand_sways_slowly() -> None:
    line = np.array([[0.0, 0.0], [2.0, 0.0]])
    for seed in range(20):
        (stroke,) = draw_by_hand([line], np.random.default_rng(seed), wobble=0.02, slip=0.0)
        offset = stroke[:, 1]
        assert offset.std() > 0.001
        assert np.diff(offset).std() < 0.8 * offset.std()  # white noise: 1.41


def test_strokes_overshoot_and_stop_short() -> None:
    line = np.array([[0.0, 0.0], [1.0, 0.0]])
    lengths = [
        float(np.ptp(draw_by_hand([line], np.random.default_rng(seed), wobble=0.0, slip=0.03)[0][:, 0]))
        for seed in range(40)
    ]
    assert min(lengths) < 0.96
    assert max(lengths) > 1.04
