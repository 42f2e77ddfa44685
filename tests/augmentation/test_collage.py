"""Images on canvases, and augmentations one after another."""

import pytest
import torch
from torch import Tensor

from crossx.augmentation import Augment, Canvas, Collage, Compose, DeadLeaves, Scribbles
from crossx.core.errors import InputError


class Numbered(Canvas):
    """Canvases that are told apart by their colour; an image vanishes on them."""

    def __init__(self) -> None:
        self.drawn = 0

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        colours = torch.arange(self.drawn, self.drawn + count, device=generator.device) / 255
        self.drawn += count
        return colours.view(-1, 1, 1, 1).expand(-1, 3, height, width)

    def paste(self, images: Tensor, canvases: Tensor) -> Tensor:
        return canvases


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_share_is_pasted_and_the_rest_left_alone(share: float) -> None:
    torch.manual_seed(0)
    images = torch.full((2000, 3, 4, 4), 0.999)
    views = Collage(Numbered(), share, stock=200)(images)
    pasted = views[:, 0, 0, 0] != images[:, 0, 0, 0]
    assert pasted.float().mean() == pytest.approx(share, abs=0.04)
    assert torch.equal(views[~pasted], images[~pasted])
    assert len(set(views[pasted][:, 0, 0, 0].tolist())) > 150  # of the 200 canvases


def test_canvases_are_drawn_once_a_size() -> None:
    canvas = Numbered()
    collage = Collage(canvas, stock=150)
    for size, drawn in ((4, 150), (4, 150), (6, 300), (4, 300), (6, 300)):
        assert collage(torch.zeros(3, 3, size, size)).shape == (3, 3, size, size)
        assert canvas.drawn == drawn


@pytest.mark.parametrize("canvas", [DeadLeaves(), Scribbles()])
def test_collages_are_fixed_by_the_seed(canvas: Canvas, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(8, 3, 16, 16)
    found = []
    for run, seed in ((0, 0), (0, 0), (0, 1), (1, 0)):
        monkeypatch.setenv("PL_GLOBAL_SEED", str(run))
        torch.manual_seed(seed)
        found.append(Collage(canvas, stock=10)(images))
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2], atol=0.01)
    assert not torch.allclose(found[0], found[3], atol=0.01)
    assert all(view.min() >= 0 and view.max() <= 1 for view in found)


def test_the_run_s_seed_fixes_the_canvases(monkeypatch: pytest.MonkeyPatch) -> None:
    images, collage, found = torch.rand(8, 3, 16, 16), Collage(DeadLeaves(), stock=10), []
    before = torch.get_rng_state()
    for run in (0, 1, 0):  # also in one process, fit after fit
        monkeypatch.setenv("PL_GLOBAL_SEED", str(run))
        torch.manual_seed(3)
        found.append(collage(images))
    assert torch.equal(found[0], found[2])
    assert not torch.allclose(found[0], found[1], atol=0.01)
    torch.set_rng_state(before)
    collage._drawn.clear()
    collage._draw(images)
    assert torch.equal(torch.get_rng_state(), before)


def test_precision_changes_no_canvas() -> None:
    images = torch.rand(8, 3, 16, 16)
    for canvas in (DeadLeaves(), Scribbles()):
        with torch.autocast("cpu", torch.bfloat16):
            mixed = Collage(canvas, stock=10)._draw(images)
        assert torch.equal(mixed, Collage(canvas, stock=10)._draw(images))


class Narrow(Numbered):
    """Draws what it was not asked for."""

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        return super().draw(count, height, width - 1, generator)


def test_canvas_that_draws_something_else_is_named() -> None:
    with pytest.raises(InputError, match=r"canvas: Narrow drew \(2, 3, 8, 7\) on cpu, and must draw \(2, 3, 8, 8\)"):
        Collage(Narrow(), stock=2)(torch.rand(1, 3, 8, 8))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_collages_are_made_on_the_images_device() -> None:
    for canvas in (DeadLeaves(), Scribbles()):
        images = torch.rand(8, 3, 16, 16, device="cuda")
        views = Collage(canvas, stock=10)(images)
        assert views.device == images.device
        assert not torch.equal(views, images)


def test_gradients_reach_the_images() -> None:
    images = torch.rand(16, 3, 16, 16, requires_grad=True)
    Collage(DeadLeaves(), stock=4)(images).sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert 0 < images.grad.mean() < 1


@pytest.mark.parametrize(
    ("share", "stock", "message"), [(0.0, 8, "share 0.0"), (1.5, 8, "share 1.5"), (0.5, 0, "stock 0")]
)
def test_arguments_are_in_range(share: float, stock: int, message: str) -> None:
    with pytest.raises(InputError, match=rf"augmentation: {message} is not legal"):
        Collage(Scribbles(), share, stock)


def test_composed_augmentations_follow_one_another() -> None:
    images = torch.rand(4, 3, 8, 8)
    mirror, cover = Augment(flip=1.0), Collage(Numbered(), share=1.0, stock=1)
    assert torch.allclose(Compose([mirror, mirror])(images), images, atol=1e-5)
    assert (Compose([mirror, cover])(images) == 0).all()
    assert torch.equal(Compose([])(images), images)
    assert Compose([mirror, cover]).new_content
    assert not Compose([mirror]).new_content
