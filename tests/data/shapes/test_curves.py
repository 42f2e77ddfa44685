import numpy as np
import pytest

from crossx.data.shapes.curves import Curve, band, ellipse, inside, polygon, rectangle, resample, spline


def area(outline: Curve) -> float:
    """Shoelace formula."""
    x, y = outline.T
    return float(abs((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) / 2)


def test_ellipse_runs_clockwise_on_screen_from_the_right() -> None:
    quarter = ellipse(1, 2, 3, 4, 0, 90)
    np.testing.assert_allclose(quarter[[0, -1]], [[4, 2], [1, 6]], atol=1e-9)
    assert area(ellipse(0, 0, 3, 2, points=400)) == pytest.approx(np.pi * 6, rel=1e-3)


def test_spline_passes_through_its_knots() -> None:
    knots = [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)]
    np.testing.assert_allclose(spline(knots, points=5)[::5], knots, atol=1e-12)
    closed = spline(knots, closed=True, points=5)
    np.testing.assert_allclose(closed[::5], [*knots, knots[0]], atol=1e-12)


def test_band_is_as_wide_as_asked() -> None:
    straight = np.stack([np.linspace(0, 2, 9), np.zeros(9)], axis=1)
    assert area(band(straight, 0.5)) == pytest.approx(1.0)
    assert area(band(ellipse(0, 0, 1, 1, 0, 180, 60), 0.2)) == pytest.approx(0.2 * np.pi, rel=1e-2)


def test_resample_spaces_evenly_and_keeps_the_ends() -> None:
    bent = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.5]])
    dense = resample(bent, 0.11)
    np.testing.assert_allclose(dense[[0, -1]], bent[[0, -1]])
    steps = np.linalg.norm(np.diff(dense, axis=0), axis=1)
    assert steps.max() <= 0.11
    assert steps.min() > 0.07


def test_inside_agrees_with_the_equation_of_a_circle() -> None:
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (500, 2))
    radius = np.linalg.norm(points, axis=1)
    clear = np.abs(radius - 1) > 0.01  # the outline is a polygon
    assert (inside(points, ellipse(0, 0, 1, 1, points=200)) == (radius < 1))[clear].all()


def test_inside_of_a_concave_outline() -> None:
    arrow = polygon((0, 0), (2, 1), (0, 2), (1, 1))
    assert inside(np.array([[0.5, 1.0], [1.5, 1.0], [0.3, 0.2], [3.0, 1.0]]), arrow).tolist() == [
        False,
        True,
        True,
        False,
    ]


def test_rectangle_is_closed() -> None:
    assert area(rectangle(0, 0, 2, 3)) == 6
