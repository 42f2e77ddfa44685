"""Procedural backgrounds, and how images are pasted onto them."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from crossx.augmentation import BackgroundGenerator, DeadLeaves, Scribbles
from crossx.augmentation.backgrounds import _distance
from crossx.core.errors import InputError

GENERATORS: list[BackgroundGenerator] = [DeadLeaves(), Scribbles()]


def drawn(
    generator: BackgroundGenerator, count: int = 12, height: int = 32, width: int = 32, seed: int = 0
) -> torch.Tensor:
    return generator.draw(count, height, width, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 48), (17, 33)])
def test_backgrounds_are_images_of_the_asked_size(generator: BackgroundGenerator, height: int, width: int) -> None:
    images = drawn(generator, 5, height, width)
    assert images.shape == (5, 3, height, width)
    assert images.min() >= 0
    assert images.max() <= 1
    assert (images.std((1, 2, 3)) > 0.02).all()  # none is empty


@pytest.mark.parametrize("generator", GENERATORS)
def test_chance_is_the_generator_s(generator: BackgroundGenerator) -> None:
    assert torch.equal(drawn(generator), drawn(generator))
    other = drawn(generator, seed=1)
    assert ((drawn(generator) - other).abs().mean((1, 2, 3)) > 0.02).all()
    first, second = drawn(generator, 2)
    assert (first - second).abs().mean() > 0.02


def test_leaves_have_the_spectrum_of_photographs() -> None:
    """Power falls with the square of the frequency, or a little faster where edges prevail."""
    spectrum = torch.fft.rfft2(drawn(DeadLeaves(), 64, 64, 64)).abs().square().mean((0, 1))
    low, high = spectrum[0, 2:5].mean(), spectrum[0, 8:20].mean()
    slope = (low / high).log() / torch.tensor(14 / 3).log()
    assert 1.5 < slope < 3.0


@pytest.mark.parametrize(("height", "width"), [(32, 32), (224, 224), (64, 160)])
def test_scribbles_are_thin_and_black_on_white(height: int, width: int) -> None:
    images = drawn(Scribbles(), 24, height, width)
    assert torch.equal(images[:, 0], images[:, 1])
    assert (images.amin((1, 2, 3)) < 0.25).all()
    assert (images == 1).float().mean() > 0.7


@pytest.mark.parametrize(("height", "width"), [(32, 32), (224, 224), (64, 160)])
def test_strokes_are_lines_and_not_dots(height: int, width: int) -> None:
    """Ink hangs together: a picture has no more patches of ink than it has strokes, which are 12 at most."""
    for image in drawn(Scribbles(), 24, height, width)[:, 0]:
        ink = (image < 1).numpy()
        assert 1 <= patches(ink) <= 12


def patches(ink: npt.NDArray[np.bool_]) -> int:
    """How many parts ink has, neighbours at corners being joined."""
    left, count = {tuple(place) for place in np.argwhere(ink)}, 0
    while left:
        border, count = [left.pop()], count + 1
        while border:
            row, column = border.pop()
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            border += near
    return count


def test_lines_are_as_thick_across_as_down() -> None:
    x, y = torch.linspace(-3, 3, 97)[None], torch.linspace(-1, 1, 33)[:, None]
    path = torch.tensor([[[-2.0, 0.0], [2.0, 0.0], [2.0, 0.0]], [[0.0, -0.5], [0.0, 0.5], [0.0, 0.5]]])
    flat, upright = _distance(x.expand(33, -1), y.expand(-1, 97), path)
    torch.testing.assert_close(flat[:, 48], y[:, 0].abs())  # at the middle of the line
    torch.testing.assert_close(upright[16], x[0].abs())
    torch.testing.assert_close(flat[16, -1], torch.tensor(1.0))  # beyond its end
    assert flat.isfinite().all()  # a segment of no length does no harm


@pytest.mark.parametrize(("smallest", "largest"), [(0.35, 0.9), (0.5, 0.5), (1.0, 1.0)])
def test_a_rectangle_of_the_photo_is_pasted(smallest: float, largest: float) -> None:
    torch.manual_seed(0)
    images, backgrounds = torch.ones(300, 3, 40, 60), torch.zeros(300, 3, 40, 60)
    pasted = DeadLeaves(smallest, largest).paste(images, backgrounds)
    rows, columns = pasted[:, 0].amax(2).sum(1), pasted[:, 0].amax(1).sum(1)
    assert torch.equal(pasted[:, 0].sum((1, 2)), rows * columns)  # rectangles, none in pieces
    for side, found in ((40, rows), (60, columns)):
        assert found.min() >= smallest * side - 1
        assert found.max() <= largest * side + 1
    if largest < 1:
        assert (pasted[:, 0, 0].amax(1) == 0).any()
        for others in ((0, 1, 3), (0, 1, 2)):
            assert pasted.mean(others).min() > 0  # every row and every column is reached


def test_ink_is_put_on_ink() -> None:
    images, backgrounds = torch.rand(2, 4, 3, 8, 8)
    assert torch.equal(Scribbles().paste(images, backgrounds), torch.minimum(images, backgrounds))


@pytest.mark.parametrize(("smallest", "largest"), [(0.0, 0.5), (0.6, 0.5), (0.5, 1.1), (float("nan"), 0.5)])
def test_sides_are_in_range(smallest: float, largest: float) -> None:
    with pytest.raises(InputError, match=r"^DeadLeaves\.(smallest|largest): must be in \(0, "):
        DeadLeaves(smallest, largest)
