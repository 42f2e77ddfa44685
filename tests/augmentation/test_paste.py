"""Images on backgrounds, and augmentations one after another."""

import pytest
import torch
from torch import Tensor

from crossx.augmentation import Augment, BackgroundGenerator, Compose, DeadLeaves, PasteOnto, Scribbles
from crossx.core.errors import InputError


class Numbered(BackgroundGenerator):
    """Backgrounds that are told apart by their colour; an image vanishes on them."""

    def __init__(self) -> None:
        self.drawn = 0

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        colours = torch.arange(self.drawn, self.drawn + count, device=generator.device) / 255
        self.drawn += count
        return colours.view(-1, 1, 1, 1).expand(-1, 3, height, width)

    def paste(self, images: Tensor, backgrounds: Tensor) -> Tensor:
        return backgrounds


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_share_is_pasted_and_the_rest_left_alone(share: float) -> None:
    torch.manual_seed(0)
    images = torch.full((2000, 3, 4, 4), 0.999)
    views = PasteOnto(Numbered(), share, num_backgrounds=200)(images)
    pasted = views[:, 0, 0, 0] != images[:, 0, 0, 0]
    assert pasted.float().mean() == pytest.approx(share, abs=0.04)
    assert torch.equal(views[~pasted], images[~pasted])
    assert len(set(views[pasted][:, 0, 0, 0].tolist())) > 150  # of the 200 backgrounds


def test_backgrounds_are_drawn_once_a_size() -> None:
    background = Numbered()
    paste = PasteOnto(background, num_backgrounds=150)
    for size, drawn in ((4, 150), (4, 150), (6, 300), (4, 300), (6, 300)):
        assert paste(torch.zeros(3, 3, size, size)).shape == (3, 3, size, size)
        assert background.drawn == drawn


@pytest.mark.parametrize("background", [DeadLeaves(), Scribbles()])
def test_views_are_fixed_by_the_seed(background: BackgroundGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(8, 3, 16, 16)
    found = []
    for run, seed in ((0, 0), (0, 0), (0, 1), (1, 0)):
        monkeypatch.setenv("PL_GLOBAL_SEED", str(run))
        torch.manual_seed(seed)
        found.append(PasteOnto(background, num_backgrounds=10)(images))
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2], atol=0.01)
    assert not torch.allclose(found[0], found[3], atol=0.01)
    assert all(view.min() >= 0 and view.max() <= 1 for view in found)


def test_the_run_s_seed_fixes_the_backgrounds(monkeypatch: pytest.MonkeyPatch) -> None:
    images, paste, found = torch.rand(8, 3, 16, 16), PasteOnto(DeadLeaves(), num_backgrounds=10), []
    before = torch.get_rng_state()
    for run in (0, 1, 0):  # also in one process, fit after fit
        monkeypatch.setenv("PL_GLOBAL_SEED", str(run))
        torch.manual_seed(3)
        found.append(paste(images))
    assert torch.equal(found[0], found[2])
    assert not torch.allclose(found[0], found[1], atol=0.01)
    torch.set_rng_state(before)
    paste._drawn.clear()
    paste._draw(images)
    assert torch.equal(torch.get_rng_state(), before)


def test_precision_changes_no_background() -> None:
    images = torch.rand(8, 3, 16, 16)
    for background in (DeadLeaves(), Scribbles()):
        with torch.autocast("cpu", torch.bfloat16):
            mixed = PasteOnto(background, num_backgrounds=10)._draw(images)
        assert torch.equal(mixed, PasteOnto(background, num_backgrounds=10)._draw(images))


class Narrow(Numbered):
    """Draws what it was not asked for."""

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        return super().draw(count, height, width - 1, generator)


def test_background_that_draws_something_else_is_named() -> None:
    with pytest.raises(InputError, match=r"Narrow must draw \(2, 3, 8, 8\) on cpu, got \(2, 3, 8, 7\) on cpu"):
        PasteOnto(Narrow(), num_backgrounds=2)(torch.rand(1, 3, 8, 8))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_views_are_made_on_the_images_device() -> None:
    for background in (DeadLeaves(), Scribbles()):
        images = torch.rand(8, 3, 16, 16, device="cuda")
        views = PasteOnto(background, num_backgrounds=10)(images)
        assert views.device == images.device
        assert not torch.equal(views, images)


def test_gradients_reach_the_images() -> None:
    images = torch.rand(16, 3, 16, 16, requires_grad=True)
    PasteOnto(DeadLeaves(), num_backgrounds=4)(images).sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert 0 < images.grad.mean() < 1


@pytest.mark.parametrize(
    ("share", "count", "message"),
    [
        (0.0, 8, r"share: must be in \(0, 1\], got 0\.0"),
        (1.5, 8, r"share: must be in \(0, 1\], got 1\.5"),
        (0.5, 0, "num_backgrounds: must be at least 1, got 0"),
    ],
)
def test_arguments_are_in_range(share: float, count: int, message: str) -> None:
    with pytest.raises(InputError, match=rf"^PasteOnto\.{message}"):
        PasteOnto(Scribbles(), share, count)


def test_composed_augmentations_follow_one_another() -> None:
    images = torch.rand(4, 3, 8, 8)
    mirror, cover = Augment(flip=1.0), PasteOnto(Numbered(), share=1.0, num_backgrounds=1)
    assert torch.allclose(Compose([mirror, mirror])(images), images, atol=1e-5)
    assert (Compose([mirror, cover])(images) == 0).all()
    assert torch.equal(Compose([])(images), images)
    assert Compose([mirror, cover]).new_content
    assert not Compose([mirror]).new_content
