"""Training batches: a function of seed and number, shared by processes, mirrored as one; galleries and queries."""

from typing import Any

import pytest
import torch
from torch import Tensor

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.core.seeding import Stream
from crossx.data.instances import InstanceData
from crossx.data.shapes.dataset import ShapesDataset
from crossx.finegrained.data import FineGrainedDataModule, flipped
from crossx.finegrained.items import ReadItems, StrokeRows
from crossx.finegrained.order import BatchNumbers, shuffled
from crossx.strokes.five import fit_points, from_five

SIZE = 16
KNOWN = [4, 2, 0, 3, 1, 4, 1, 3, 2, 0]


@pytest.fixture(scope="module")
def shapes() -> ShapesDataset:
    return ShapesDataset(size=SIZE, detail="fine", train=4, validation=1, test=1, sketches=2)


def module(data: InstanceData, **arguments: Any) -> FineGrainedDataModule:  # noqa: ANN401 - any argument
    usual = {"fraction": 0.25, "batch_size": 4, "free_batch_size": 6, "oracle": True, "flip": 0.5}
    return FineGrainedDataModule(data, **{**usual, **arguments})


def tensors(items: ReadItems) -> dict[str, Tensor]:
    return {name: value for name, value in vars(items).items() if isinstance(value, Tensor)}


def test_a_batch_depends_on_seed_and_number_alone(shapes: ShapesDataset) -> None:
    first, again = module(shapes).items(), module(shapes).items()
    again[7]  # what was read before does not matter
    for name, value in tensors(first[3]).items():
        assert torch.equal(value, getattr(again[3], name)), name
    assert not torch.equal(first[3].photo, first[4].photo)


def test_processes_share_the_batch_of_one(shapes: ShapesDataset) -> None:
    whole = module(shapes, batch_size=8, free_batch_size=12).items()
    shares = [module(shapes).items(rank, 2) for rank in range(2)]
    for number in (0, 5):
        parts = [share[number] for share in shares]
        for name, value in tensors(whole[number]).items():
            for rank in range(2):
                assert torch.equal(value[rank::2], getattr(parts[rank], name)), name


def test_an_epoch_has_every_labelled_photo_once_and_no_free_one(shapes: ShapesDataset) -> None:
    items = module(shapes).items()
    labelled = {pair.photo for pair in shapes.labelled(0.25)}
    epoch = [items.labelled_item(place)[0] for place in range(2 * len(labelled))]
    assert [pair.photo for pair in epoch[: len(labelled)]] != [pair.photo for pair in epoch[len(labelled) :]]
    for half in (epoch[: len(labelled)], epoch[len(labelled) :]):
        assert {pair.photo for pair in half} == labelled
    assert all(pair.sketch // 2 == pair.photo for pair in epoch)
    assert len({pair.sketch % 2 for pair in epoch}) == 2  # both sketches of a photo are used
    free = {items.free_item(place)[0] for place in range(len(shapes.images("photo", "train")) - len(labelled))}
    assert free == set(shapes.unlabelled(0.25))
    assert all(sketch is not None and sketch // 2 == photo for photo, sketch, _ in map(items.free_item, range(40)))


def test_shuffled_places_are_the_same_everywhere() -> None:
    assert [shuffled(0, i, 5, Stream.LABELLED_ORDER) for i in range(10)] == KNOWN
    assert sorted(KNOWN[:5]) == sorted(KNOWN[5:]) == list(range(5))


def test_photo_sketch_and_strokes_are_mirrored_together(shapes: ShapesDataset) -> None:
    strokes = StrokeRows(max_points=60)
    plain, mirror = (module(shapes, flip=flip, strokes=strokes, batch_size=10) for flip in (0.0, 1.0))
    a, b = flipped(plain.items()[2]), flipped(mirror.items()[2])
    for name in ("photo", "sketch", "free_photo", "free_sketch"):
        assert torch.equal(getattr(a, name).flip(3), getattr(b, name)), name
    assert a.five is not None
    assert b.five is not None
    assert torch.equal(a.five.rows[..., 1:], b.five.rows[..., 1:])
    assert torch.equal(a.five.rows[..., 0], -b.five.rows[..., 0])
    assert a.photo.dtype == a.sketch.dtype == torch.float32
    assert 0 <= a.photo.min() < a.photo.max() <= 1
    some = module(shapes, batch_size=40).items()[0]
    assert 0.2 < some.flip.float().mean() < 0.8


def test_rows_are_those_of_the_sketch(shapes: ShapesDataset) -> None:
    rows = StrokeRows(max_points=40)
    items = module(shapes, strokes=rows, flip=0.0).items()
    five = items[1].five
    assert five is not None
    for i in range(4):
        pair, _ = items.labelled_item(4 + i)
        drawn = from_five(five.rows[i].numpy(), five.scale)
        expected = fit_points(shapes.strokes("train", pair.sketch), 0.015, 40)
        assert [len(stroke) for stroke in drawn] == [len(stroke) for stroke in expected]
        torch.testing.assert_close(torch.tensor(drawn[0]), torch.tensor(expected[0]), atol=1e-5, rtol=0)
        assert five.length[i] == sum(map(len, expected)) <= 40
    assert module(shapes, strokes=StrokeRows(scale=0.5)).items().scale == 0.5


def test_batches_go_on_where_they_were() -> None:
    done = 0
    numbers = BatchNumbers(4, lambda: done)
    assert list(numbers) == [0, 1, 2, 3]
    done = 6  # in the middle of an epoch
    assert list(numbers) == [6, 7, 8, 9]
    assert len(numbers) == 4


def test_gallery_and_queries(shapes: ShapesDataset) -> None:
    photos, sketches = module(shapes).images("test")
    batch = stack([sketches[i] for i in range(len(sketches))])
    assert batch.instance.tolist() == [i // 2 for i in range(20)]
    assert batch.label.tolist() == batch.instance.tolist()  # one photo a class
    assert batch.gallery.tolist() == [0] * 20
    assert batch.modality == "sketch"
    assert photos[3].instance == photos[3].index == 3
    assert torch.equal(photos[3].image, shapes.images("photo", "test")[3].image)


class Separate(ShapesDataset):
    separate_galleries = True


def test_galleries_of_their_own() -> None:
    _, sketches = module(Separate(size=SIZE, train=4, test=2, sketches=1)).images("test")
    assert [int(sketches[i].gallery) for i in range(4)] == [0, 0, 1, 1]


class WithoutStrokes(ShapesDataset):
    def strokes(self, split: Any, i: int) -> Any:  # noqa: ANN401 - as a reader of images
        return None


def test_what_the_data_set_lacks_is_refused(shapes: ShapesDataset) -> None:
    with pytest.raises(InputError, match=r"data\.free_batch_size: must be 0, because no training photo .* fraction 1"):
        module(shapes, fraction=1.0).items()
    with pytest.raises(InputError, match=r"^data\.strokes: must be null, because the sketches of shapes are images"):
        module(WithoutStrokes(size=SIZE, train=4), strokes=StrokeRows()).items()
    with pytest.raises(InputError, match=r"^data\.oracle: must be false where data\.free_batch_size is 0, got true$"):
        module(shapes, free_batch_size=0)


@pytest.mark.parametrize(
    ("name", "value", "legal"),
    [
        ("fraction", 0, r"in \(0, 1\]"),
        ("batch_size", 0, "at least 1"),
        ("free_batch_size", -1, "at least 0"),
        ("flip", 1.5, r"in \[0, 1\]"),
        ("eval_batch_size", 0, "at least 1"),
        ("batches_per_epoch", 0, "at least 1"),
        ("workers", -1, "at least 0"),
    ],
)
def test_number_out_of_range(shapes: ShapesDataset, name: str, value: Any, legal: str) -> None:  # noqa: ANN401
    with pytest.raises(InputError, match=rf"^data\.{name}: must be {legal}, got {value}$"):
        module(shapes, **{name: value, "oracle": False})
