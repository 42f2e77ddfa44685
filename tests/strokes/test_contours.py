"""Random contours: closed lines of a known size, and as many kinds as there are families."""

from collections.abc import Callable

import numpy as np
import pytest

from crossx.core.seeding import Stream, philox
from crossx.strokes import contours
from crossx.strokes.contours import FAMILIES, Points, contour

SKETCHES = Stream.PROCEDURAL_SKETCHES


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_a_contour_is_closed_of_a_known_size_and_differs_from_the_next(
    family: Callable[[np.random.Generator], Points],
) -> None:
    found = [family(philox(0, i, SKETCHES)) for i in range(50)]
    for points in found:
        assert points.ndim == 2
        assert points.shape[1] == 2
        assert np.isfinite(points).all()
        np.testing.assert_allclose(points[0], points[-1], atol=1e-3)
        radius = np.linalg.norm(points, axis=1)
        assert 0.3 < radius.max() < 3
    outlines = {tuple(points.round(6).ravel()) for points in found}
    assert len(outlines) > 40 or family is contours.superellipse  # which has three shapes, before it is stretched
    assert len(outlines) >= 3


def test_a_profile_is_its_own_mirror_image() -> None:
    for i in range(20):
        points = contours.mirrored_profile(philox(0, i, SKETCHES))
        mirrored = {tuple(point) for point in (points * [-1, 1]).round(9).tolist()}
        assert mirrored == {tuple(point) for point in points.round(9).tolist()}


def test_families_are_equally_likely_and_stretched(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def circle(place: int) -> Callable[[np.random.Generator], Points]:
        def draw(_: np.random.Generator) -> Points:
            drawn.append(place)
            return np.array([[1.0, 1.0]])

        return draw

    monkeypatch.setattr(contours, "FAMILIES", tuple(circle(place) for place in range(len(FAMILIES))))
    heights = np.array([contour(philox(0, i, SKETCHES))[0] for i in range(2000)])
    assert (heights[:, 0] == 1).all()
    assert np.log(heights[:, 1]).std() == pytest.approx(0.4, rel=0.05)
    shares = np.bincount(drawn, minlength=len(FAMILIES)) / len(drawn)
    np.testing.assert_allclose(shares, 1 / len(FAMILIES), atol=0.03)
