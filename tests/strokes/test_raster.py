import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from crossx.core.errors import InputError
from crossx.strokes.raster import rasterise, rasterise_batch

LINE = np.array([[0.25, 0.5], [0.75, 0.5]], dtype=np.float32)


def ink(image: npt.NDArray[np.uint8]) -> float:
    """Area covered by black, in pixels."""
    return float((255 - image.astype(np.float64)).sum() / 255)


def test_an_empty_drawing_is_white() -> None:
    image = rasterise([], 16, 2.0)
    assert image.shape == (16, 16)
    assert image.dtype == np.uint8
    assert (image == 255).all()


@pytest.mark.parametrize("width", [1.0, 2.0, 3.5])
def test_a_line_covers_its_length_times_its_width_and_round_caps(width: float) -> None:
    expected = 32 * width + np.pi * width**2 / 4
    assert ink(rasterise([LINE], 64, width)) == pytest.approx(expected, rel=0.12)


def test_a_line_lies_where_it_is_meant_to() -> None:
    image = rasterise([LINE], 64, 4.0)
    assert (image[31:33, 18:46] == 0).all()
    assert (image[:28] == 255).all()
    assert (image[36:] == 255).all()
    assert (image[:, :13] == 255).all()
    assert (image[:, 51:] == 255).all()


def test_x_goes_right_and_y_goes_down() -> None:
    image = rasterise([np.array([[0.75, 0.25]], np.float32)], 32, 4.0)
    row, column = np.unravel_index(int(image.argmin()), image.shape)
    assert abs(row - 8) <= 2
    assert abs(column - 24) <= 2


def test_a_single_point_is_a_dot() -> None:
    assert ink(rasterise([np.array([[0.5, 0.5]], np.float32)], 32, 6.0)) == pytest.approx(np.pi * 9, rel=0.1)


def test_edges_are_anti_aliased() -> None:
    image = rasterise([np.array([[0.1, 0.1], [0.9, 0.7]], np.float32)], 32, 2.0)
    assert len(np.unique(image)) > 5


def test_a_larger_image_shows_the_same_drawing() -> None:
    strokes = [np.array([[0.1, 0.1], [0.9, 0.2], [0.5, 0.9]], np.float32), LINE]
    small = rasterise(strokes, 32, 2.0).astype(np.float64)
    large = rasterise(strokes, 128, 8.0).astype(np.float64).reshape(32, 4, 32, 4).mean(axis=(1, 3))
    assert np.abs(small - large).mean() < 5


def test_what_leaves_the_square_is_cut_off() -> None:
    image = rasterise([np.array([[-0.5, 0.5], [1.5, 0.5]], np.float32)], 32, 2.0)
    assert (image[15:17] < 80).all()


def test_user_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="must be normalised"):
        rasterise([LINE * 255], 32, 2.0)
    with pytest.raises(InputError, match=r"width: must be above 0, got 0\.0"):
        rasterise([LINE], 32, 0.0)
    with pytest.raises(InputError, match="size: must be at least 1, got 0"):
        rasterise([LINE], 0, 1.0)
    with pytest.raises(InputError, match="NaN"):
        rasterise([LINE * np.float32(np.nan)], 32, 1.0)


def test_a_batch_is_its_drawings_one_by_one() -> None:
    drawings = [[np.random.default_rng(i).random((5, 2)).astype(np.float32)] for i in range(3)]
    images = rasterise_batch(drawings, 24, 1.5)
    assert images.shape == (3, 24, 24)
    for image, drawing in zip(images, drawings, strict=True):
        np.testing.assert_array_equal(image, rasterise(drawing, 24, 1.5))
    with pytest.raises(InputError, match=r"^drawings: must have at least one drawing, got none$"):
        rasterise_batch([], 24, 1.5)


def test_drawing_needs_no_torch() -> None:
    """A search server draws its users' strokes."""
    line = "import sys, crossx.strokes.raster, crossx.strokes.five, crossx.strokes.svg; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
