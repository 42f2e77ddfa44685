import math
from typing import Literal

import pytest
import torch
from torch import Tensor

from crossx.augmentation import Augment
from crossx.core.errors import InputError


def blob(x: float, y: float, side: int = 32) -> Tensor:
    """A dark spot on white, (1, 3, side, side), centre at (x, y) in [0, 1]."""
    place = (torch.arange(side) + 0.5) / side
    distance = (place[None, :] - x) ** 2 + (place[:, None] - y) ** 2
    return (1 - torch.exp(-distance / 0.005)).expand(1, 3, -1, -1)


def centres(images: Tensor) -> Tensor:
    """Centre of darkness (x, y) of each image in [0, 1], (B, 2)."""
    dark = 1 - images.mean(1)
    dark = dark / dark.sum((1, 2), keepdim=True)
    place = (torch.arange(images.shape[-1]) + 0.5) / images.shape[-1]
    return torch.stack([(dark.sum(1) * place).sum(1), (dark.sum(2) * place).sum(1)], dim=1)


def test_nothing_asked_changes_nothing() -> None:
    x = torch.rand(2, 3, 8, 8)
    assert Augment()(x) is x


def test_flip_mirrors_about_its_share_of_the_samples() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, 6, 10).expand(400, -1, -1, -1)
    y = Augment(flip=0.25)(x)
    mirrored = torch.isclose(y, x.flip(3), atol=1e-4).flatten(1).all(1)
    kept = torch.isclose(y, x, atol=1e-4).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert 0.18 < mirrored.float().mean() < 0.32


def test_rotation_keeps_radius_and_stays_below_its_angle() -> None:
    torch.manual_seed(0)
    moved = centres(Augment(rotation=30, padding="white")(blob(0.75, 0.5).expand(200, -1, -1, -1))) - 0.5
    torch.testing.assert_close(moved.norm(dim=1), torch.full((200,), 0.25), rtol=0, atol=0.01)
    angle = torch.atan2(moved[:, 1], moved[:, 0]) * 180 / math.pi
    assert angle.abs().max() < 31
    assert angle.min() < -25
    assert angle.max() > 25


def test_rotation_of_a_wide_image_does_not_shear() -> None:
    torch.manual_seed(0)
    wide = torch.ones(50, 3, 32, 64)
    wide[:, :, :, 16:48] = blob(0.8, 0.5)
    y = Augment(rotation=90, padding="white")(wide)[:, :, :, 16:48]
    torch.testing.assert_close((centres(y) - 0.5).norm(dim=1), torch.full((50,), 0.3), rtol=0, atol=0.015)


def test_scale_is_symmetric_in_the_logarithm() -> None:
    torch.manual_seed(0)
    factor = (centres(Augment(scale=0.5, padding="white")(blob(0.7, 0.5).expand(300, -1, -1, -1)))[:, 0] - 0.5) / 0.2
    assert 1 / 1.53 < factor.min() < 1 / 1.4
    assert 1.4 < factor.max() < 1.53
    assert abs(factor.log().mean()) < 0.05


def test_shift_is_a_share_of_the_side() -> None:
    torch.manual_seed(0)
    moved = centres(Augment(shift=0.2, padding="white")(blob(0.5, 0.5).expand(200, -1, -1, -1))) - 0.5
    assert moved.abs().max() < 0.205
    assert (moved.amax(0) > 0.17).all()
    assert (moved.amin(0) < -0.17).all()


def test_sketches_are_padded_with_white_and_photos_with_their_border() -> None:
    x = torch.full((64, 3, 16, 16), 0.3)
    torch.manual_seed(0)
    white = Augment(shift=0.5, rotation=45, padding="white")(x)
    assert white.max() == 1
    assert white.min() == pytest.approx(0.3)
    torch.testing.assert_close(Augment(shift=0.5, rotation=45)(x), x)


def test_cutout_covers_its_square() -> None:
    torch.manual_seed(0)
    x = torch.zeros(300, 3, 20, 20)
    cut = Augment(cutout=0.5, padding="white")(x) == 1
    area = cut[:, 0].float().mean((1, 2))
    assert area.max() == pytest.approx(0.25)
    assert 0.1 < area.mean() < 0.2  # part of it falls outside
    photo = torch.rand(4, 3, 20, 20)
    filled = Augment(cutout=1.0)(photo)
    changed = (filled != photo).any(1, keepdim=True).expand_as(photo)
    means = photo.mean((2, 3), keepdim=True).expand_as(photo)
    torch.testing.assert_close(filled[changed], means[changed])


def test_colour_changes_each_sample_by_its_own_draw_within_range() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, 8, 8).expand(100, -1, -1, -1)
    y = Augment(colour=0.4)(x)
    assert y.min() >= 0
    assert y.max() <= 1
    assert len({*y.mean((1, 2, 3)).tolist()}) == 100
    grey = torch.full((50, 3, 4, 4), 0.5)
    means = Augment(colour=0.4)(grey).mean((1, 2, 3))  # on plain grey only brightness acts
    assert 0.29 < means.min() < 0.35
    assert 0.65 < means.max() < 0.71


def test_a_seed_fixes_the_draw_and_samples_differ() -> None:
    augment = Augment(0.5, 10, 0.2, 0.1, 0.3, 0.3)
    x = torch.rand(1, 3, 12, 12).expand(5, -1, -1, -1)
    torch.manual_seed(7)
    first = augment(x)
    second = augment(x)
    torch.manual_seed(7)
    torch.testing.assert_close(augment(x), first, rtol=0, atol=0)
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    assert first.shape == x.shape
    assert first.min() >= 0
    assert first.max() <= 1


@pytest.mark.parametrize("padding", ["border", "white"])
def test_gradient_reaches_the_image(padding: str) -> None:
    torch.manual_seed(0)
    x = torch.rand(3, 3, 12, 12, requires_grad=True)
    augment = Augment(0.5, 10, 0.2, 0.1, 0.3, 0.3, "white" if padding == "white" else "border")
    torch.autograd.backward(augment(x).sum())
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert (x.grad.abs().sum((1, 2, 3)) > 0).all()


@pytest.mark.parametrize(
    ("name", "value"), [("flip", 1.5), ("rotation", -1.0), ("scale", float("nan")), ("cutout", 2.0), ("colour", -0.1)]
)
def test_values_outside_their_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"^Augment\.{name}: must be in \[0, .*\], got {value}"):
        Augment(**{name: value})  # type: ignore[arg-type]


def test_unknown_padding_is_refused() -> None:
    with pytest.raises(InputError, match=r"^Augment\.padding: must be one of border, white; got 'black'"):
        Augment(padding="black")  # type: ignore[arg-type]


@pytest.mark.parametrize("padding", ["border", "white"])
def test_view_is_as_exact_under_autocast(padding: Literal["border", "white"]) -> None:
    """In bfloat16 the places of pixels would be off by up to half a pixel at 128."""
    x, augment = torch.rand(4, 3, 128, 128), Augment(flip=0.5, rotation=10, scale=0.2, shift=0.1, padding=padding)
    views = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            views.append(augment(x))
    assert views[1].dtype == torch.float32
    assert torch.equal(*views)
