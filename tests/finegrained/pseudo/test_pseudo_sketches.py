"""Sources of pseudo sketches: what they draw, and what they refuse."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from crossx.core.errors import InputError
from crossx.data.shapes.dataset import ShapesDataset
from crossx.finegrained.pseudo import EdgeMaps, GreyViews, OwnViews, PseudoSketches, TracedEdges, TrueSketches
from crossx.finegrained.types import FineGrainedBatch
from crossx.strokes.sequence import Strokes
from crossx.strokes.trace import trace


def square(size: int = 32) -> torch.Tensor:
    """A red square on green of the same brightness, from a quarter to three quarters of the side."""
    photo = torch.zeros(1, 3, size, size)
    photo[:, 1] = 0.6
    inside = slice(size // 4, 3 * size // 4)
    photo[:, 1, inside, inside] = 0.0
    photo[:, 0, inside, inside] = 0.6
    return photo


def batch(photos: torch.Tensor | None, sketches: torch.Tensor | None = None) -> FineGrainedBatch:
    labelled = torch.zeros(1, 3, 32, 32)
    places = None if photos is None else torch.arange(len(photos))
    return FineGrainedBatch(labelled, labelled, torch.tensor([0]), photos, places, sketches)


def test_own_views_are_the_photos_and_grey_views_have_no_colour() -> None:
    photos = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(OwnViews()(batch(photos)).sketch, photos)
    grey = GreyViews()(batch(photos)).sketch
    assert torch.allclose(grey, photos.mean(1, keepdim=True).expand(-1, 3, -1, -1))


def test_true_sketches_are_those_of_the_batch() -> None:
    photos, sketches = torch.rand(2, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    drawn = TrueSketches()(batch(photos, sketches))
    assert torch.equal(drawn.sketch, sketches)
    assert torch.equal(drawn.certainty, torch.ones(2))


def test_edges_lie_on_the_outline_and_nowhere_else() -> None:
    edges = EdgeMaps()(batch(square())).sketch
    assert edges.shape == (1, 3, 32, 32)
    assert edges.min() >= 0
    assert edges.max() <= 1
    ink = 1 - edges[0, 0]
    assert ink[16, 7:9].max() == 1  # the left side, where the colour changes between columns 7 and 8
    assert ink[7:9, 16].max() == 1  # the upper side
    assert ink[12:20, 12:20].max() == 0
    assert ink[:5].max() == 0


def test_edges_of_a_plain_photo_are_white() -> None:
    assert EdgeMaps()(batch(torch.full((1, 3, 16, 16), 0.3))).sketch.min() == 1


def test_edges_turn_with_the_photo() -> None:
    photo = ShapesDataset(size=32, train=0, validation=0, test=1).images("photo", "test")[4].image[None]
    straight, turned = (EdgeMaps()(batch(x)).sketch for x in (photo, photo.flip(3)))
    # Lines of two pixels grow to the left, so a mirrored line lies a pixel beside its own place.
    assert (straight.flip(3).roll(-1, 3) - turned)[..., 2:-2].abs().mean() < 0.02


def test_traced_edges_lie_near_the_outline_and_a_hand_never_draws_twice_the_same() -> None:
    source, given = TracedEdges(), batch(square(64))
    given.line_width = 3.0
    torch.manual_seed(0)
    first, second = source(given).sketch, source(given).sketch
    assert first.shape == (1, 3, 64, 64)
    assert not torch.equal(first, second)
    for drawn in (first, second):
        ink = 1 - drawn[0, 0]
        assert 64 < ink.sum() < 600, "about 128 pixels of outline, 3 wide"
        assert ink[24:40, 24:40].sum() == 0
        assert ink[:8].sum() == 0
        assert all(side.max() > 0.9 for side in (ink[30, 8:24], ink[30, 40:56], ink[8:24, 30], ink[40:56, 30]))
    torch.manual_seed(0)
    assert torch.equal(source(given).sketch, first), "what was traced before changes nothing"


def test_traced_edges_turn_with_the_photo_and_are_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = ShapesDataset(size=32, train=0, validation=0, test=1).images("photo", "test")[4].image[None]
    traced: list[int] = []

    def watched(image: npt.NDArray[np.uint8]) -> Strokes:
        traced.append(len(image))
        return trace(image)

    monkeypatch.setattr("crossx.finegrained.pseudo.traced_edges.trace", watched)
    monkeypatch.setattr("crossx.finegrained.pseudo.traced_edges.draw_by_hand", lambda curves, _: curves)
    source = TracedEdges()
    straight, mirrored = batch(photo), batch(photo.flip(3))
    straight.free_flip, mirrored.free_flip = torch.tensor([False]), torch.tensor([True])
    drawn = source(mirrored).sketch, source(straight).sketch, TracedEdges()(straight).sketch
    assert torch.equal(drawn[1], drawn[2]), "the mirrored photo gave the strokes of the photo"
    assert (drawn[0].flip(3) - drawn[1]).abs().mean() < 0.05  # the rasteriser rounds to quarters of a pixel
    assert traced == [32, 32]


def test_traced_edges_of_a_plain_photo_are_white() -> None:
    assert TracedEdges()(batch(torch.full((1, 3, 16, 16), 0.3))).sketch.min() == 1


@pytest.mark.parametrize(
    "source", [OwnViews(), GreyViews(), TrueSketches(), EdgeMaps(), TracedEdges()], ids=lambda x: type(x).__name__
)
def test_without_unlabelled_photos_there_is_nothing_to_draw(source: PseudoSketches) -> None:
    with pytest.raises(InputError, match=f"model.pseudo: {type(source).__name__} draws unlabelled photos, and the run"):
        source(batch(None))


def test_the_oracle_needs_true_sketches() -> None:
    with pytest.raises(InputError, match="TrueSketches needs the true sketches of the unlabelled photos"):
        TrueSketches()(batch(torch.zeros(1, 3, 8, 8)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blur": 0.0}, r"EdgeMaps.blur: must be in \(0, 8\], got 0.0"),
        ({"contrast": 1.0}, r"EdgeMaps.contrast: must be in \(0, 1\), got 1.0"),
    ],
)
def test_edge_maps_refuse_numbers_out_of_range(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        EdgeMaps(**arguments)
