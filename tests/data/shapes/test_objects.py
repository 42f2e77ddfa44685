import numpy as np
import pytest

from crossx.data.shapes.objects import MATERIALS, PROGRAMS, Part, draw_object


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_object_fills_its_frame_and_is_well_formed(name: str) -> None:
    for seed in range(40):
        parts = draw_object(name, np.random.default_rng(seed))
        points = np.concatenate([part.outline for part in parts])
        assert np.abs(points).max() == pytest.approx(1.0)
        np.testing.assert_allclose(points.max(axis=0), -points.min(axis=0), atol=1e-9)
        assert all(0 <= part.material < MATERIALS for part in parts)
        assert sum(not part.minor for part in parts) >= 2
        for part in parts:
            if not part.width:
                np.testing.assert_allclose(part.curve[0], part.curve[-1], atol=1e-9)


@pytest.mark.parametrize("name", PROGRAMS)
def test_instances_differ_and_face_both_sides(name: str) -> None:
    drawn = [draw_object(name, np.random.default_rng(seed)) for seed in range(20)]
    assert len({round(float(np.concatenate([p.outline for p in parts]).std()), 6) for parts in drawn}) == 20


def test_a_thin_part_has_an_area() -> None:
    part = Part(np.array([[0.0, 0.0], [1.0, 0.0]]), width=0.2)
    assert np.ptp(part.outline[:, 1]) == pytest.approx(0.2)
