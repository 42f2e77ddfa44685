"""Pictures traced to strokes: accuracy, order, overlap with real pictures, and what is refused."""

import sys

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.tracing import SETS, measure, pictures
from crossx.core.errors import InputError
from crossx.strokes.raster import rasterise
from crossx.strokes.sequence import Strokes
from crossx.strokes.trace import pen_width, trace

SIZE = 128


def drawn(*strokes: list[list[float]], size: int = SIZE, width: float = 2.5) -> npt.NDArray[np.uint8]:
    return rasterise([np.array(stroke, dtype=np.float32) for stroke in strokes], size, width)


def distance(found: Strokes, point: tuple[float, float]) -> float:
    """Smallest distance of a point from the strokes' points, in pixels of 128."""
    return float(np.hypot(*(np.concatenate(found) - np.array(point)).T).min()) * SIZE


@pytest.mark.parametrize("size", [32, 64, 128, 400])
def test_a_line_comes_back_where_it_was(size: int) -> None:
    ends = np.array([[0.2, 0.3], [0.8, 0.6]])
    (stroke,) = trace(drawn(ends.tolist(), size=size, width=size / 40))
    assert np.hypot(*(stroke[[0, -1]] - ends).T).max() * size < 0.5 + size / 80, (
        "half the pen is lost at an end at most"
    )
    along = (ends[1] - ends[0]) / np.hypot(*(ends[1] - ends[0]))
    aside = np.abs((stroke - ends[0]) @ [-along[1], along[0]]) * size
    assert aside[1:-1].max(initial=0) < 1
    assert len(stroke) <= 4


def test_corners_stay_in_one_stroke_and_a_square_is_closed() -> None:
    (stroke,) = trace(drawn([[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8], [0.2, 0.2]]))
    assert stroke[0].tolist() == stroke[-1].tolist()
    assert all(distance([stroke], corner) < 1.5 for corner in ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)))
    assert np.hypot(*stroke[0]) == pytest.approx(np.hypot(*stroke.T).min()), "it begins in the upper left"


@pytest.mark.parametrize("angle", [90, 70, 60])
def test_crossing_lines_are_two_strokes(angle: float) -> None:
    reach = 0.35 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    found = trace(drawn([[0.15, 0.5], [0.85, 0.5]], [(0.5 - reach).tolist(), (0.5 + reach).tolist()]))
    assert len(found) == 2
    assert all(np.hypot(*(stroke[-1] - stroke[0])) > 0.65 for stroke in found), "each runs through the crossing"


def test_the_pen_goes_to_the_nearest_stroke_from_the_upper_left() -> None:
    found = trace(drawn([[0.9, 0.9], [0.6, 0.9]], [[0.1, 0.1], [0.1, 0.5]], [[0.5, 0.6], [0.2, 0.6]]))
    starts = [stroke[0].tolist() for stroke in found]
    assert np.allclose(starts, [[0.1, 0.1], [0.2, 0.6], [0.6, 0.9]], atol=0.02)


def test_a_dot_stays_and_frayed_edges_go() -> None:
    picture = drawn([[0.2, 0.5], [0.8, 0.5]], width=4.0).copy()
    picture[59:62, 50] = 0  # a burr on the upper edge of the line
    picture[20:23, 90:93] = 0
    found = trace(picture)
    assert len(found) == 2
    assert distance(found, (91.5 / SIZE, 21.5 / SIZE)) < 1


def test_the_width_of_the_pen_is_found_again() -> None:
    for width in (1.5, 2.5, 4.0):
        picture = drawn([[0.1, 0.2], [0.9, 0.2]], [[0.2, 0.3], [0.7, 0.9]], width=width)
        assert pen_width(picture, trace(picture)) == pytest.approx(width, abs=0.6)


def test_a_picture_of_one_colour_has_no_strokes() -> None:
    for value in (0, 255):
        assert trace(np.full((8, 8), value, dtype=np.uint8)) == []
    assert pen_width(np.zeros((8, 8), dtype=np.uint8), []) == 1.0


@pytest.mark.parametrize("name", SETS)
def test_traces_redraw_real_pictures(name: str) -> None:
    found = measure(list(pictures(name, 20)))
    assert found.overlap > (0.92 if name == "QuickDraw" else 0.87)
    if name == "QuickDraw":
        assert found.strokes < 1.4 * found.true_strokes


def test_the_same_picture_gives_the_same_strokes() -> None:
    picture = next(pictures("Sketchy", 1))[0]
    first, second = trace(picture), trace(picture.copy())
    assert [stroke.tolist() for stroke in first] == [stroke.tolist() for stroke in second]
    assert all(stroke.dtype == np.float32 and stroke.min() >= 0 and stroke.max() <= 1 for stroke in first)


@pytest.mark.parametrize(
    ("picture", "got"),
    [
        (np.zeros((4, 5), dtype=np.uint8), r"uint8 \(4, 5\)"),
        (np.zeros((4, 4, 3), dtype=np.uint8), r"uint8 \(4, 4, 3\)"),
        (np.zeros((4, 4)), r"float64 \(4, 4\)"),
        (np.zeros((0, 0), dtype=np.uint8), r"uint8 \(0, 0\)"),
    ],
)
def test_other_pictures_are_refused(picture: npt.NDArray[np.uint8], got: str) -> None:
    with pytest.raises(InputError, match=rf"^image: must be uint8 with the shape \(S, S\), got {got}$"):
        trace(picture)


def test_without_scikit_image_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.morphology", None)
    with pytest.raises(InputError, match=r'^tracing needs scikit-image: pip install "crossx\[strokes\]"$'):
        trace(drawn([[0.2, 0.3], [0.8, 0.6]]))
