import pickle
import sys
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from crossx.core.errors import InputError
from crossx.data.shapes.dataset import ShapesDataset
from crossx.strokes.raster import rasterise
from crossx.types import Modality, Split


@pytest.fixture(scope="module")
def data() -> ShapesDataset:
    return ShapesDataset(train=25, validation=2, test=15)


def stacked(data: ShapesDataset, modality: Modality, split: Split) -> Tensor:
    images = data.images(modality, split)
    return torch.stack([images.image(i) for i in range(len(images))])


@pytest.mark.parametrize("modality", ["photo", "sketch"])
def test_images_are_uint8_rgb_of_the_asked_size(modality: Modality) -> None:
    for size in (32, 48, 224):
        image = ShapesDataset(size=size, train=1).images(modality, "train").read(3)
        assert image.shape == (3, size, size)
        assert image.dtype == torch.uint8
        assert image.float().std() > 10


def test_photos_and_sketches_are_instance_level_pairs(data: ShapesDataset) -> None:
    photos, sketches = data.images("photo", "test"), data.images("sketch", "test")
    assert photos.instances == sketches.instances
    assert len(photos) == 150
    assert len(set(photos.names) | set(sketches.names)) == 300
    assert photos.labels.tolist() == [label for label in range(10) for _ in range(15)]


@pytest.mark.parametrize("modality", ["photo", "sketch"])
def test_an_image_does_not_depend_on_how_many_there_are(modality: Modality) -> None:
    few, many = ShapesDataset(train=2, test=5), ShapesDataset(train=7, test=1, sketches=1)
    a, b = few.images(modality, "train"), many.images(modality, "train")
    assert a.names[5] == b.names[15]
    assert torch.equal(a.read(5), b.read(15))


def test_sketches_of_one_instance_differ_and_the_first_stays() -> None:
    one, two = ShapesDataset(train=2).images("sketch", "train"), ShapesDataset(train=2, sketches=2)
    both = two.images("sketch", "train")
    assert len(both) == 40
    assert both.instances is not None
    assert both.instances[6] == both.instances[7]
    assert torch.equal(both.read(6), one.read(3))
    assert not torch.equal(both.read(7), one.read(3))


@pytest.mark.parametrize("modality", ["photo", "sketch"])
def test_a_larger_image_shows_the_same_scene(modality: Modality) -> None:
    small, large = (ShapesDataset(size=size, train=1).images(modality, "train") for size in (32, 128))
    for i in range(10):
        a = small.read(i).float()
        b = torch.nn.functional.avg_pool2d(large.read(i).float()[None], 4)[0]
        assert torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1] > 0.75


def test_seeds_splits_and_instances_differ() -> None:
    images = [
        ShapesDataset(train=2).images("photo", "train").read(0),
        ShapesDataset(train=2).images("photo", "train").read(1),
        ShapesDataset(test=2).images("photo", "test").read(0),
        ShapesDataset(train=2, seed=1).images("photo", "train").read(0),
    ]
    for i, a in enumerate(images):
        assert all(not torch.equal(a, b) for b in images[i + 1 :])


def test_the_cache_changes_nothing(data: ShapesDataset) -> None:
    plain = ShapesDataset(train=25, validation=2, test=15, cache=False).images("photo", "validation")
    cached = data.images("photo", "validation")
    item = cached[4]
    assert torch.equal(item.image, plain[4].image)
    assert cached.image(4) is cached.image(4)
    assert plain.image(4) is not plain.image(4)
    assert 0 <= item.image.min() < item.image.max() <= 1


def test_strokes_are_what_the_sketch_shows(data: ShapesDataset) -> None:
    sketches = data.images("sketch", "test")
    for i in range(0, 150, 15):
        drawn = rasterise(data.strokes("test", i), 32, 1.6).astype(np.float64)
        assert np.corrcoef(drawn.ravel(), sketches.read(i)[0].numpy().ravel())[0, 1] > 0.85


def test_strokes_are_visible_at_32_pixels(data: ShapesDataset) -> None:
    sketches = stacked(data, "sketch", "test")
    assert (sketches.flatten(1).amin(dim=1) < 60).all()
    assert torch.equal(sketches[:, 0], sketches[:, 2])
    assert sketches.float().mean() > 180


def accuracy(train: Tensor, test: Tensor, data: ShapesDataset, modality: Modality) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    model.fit(train.numpy(), data.images(modality, "train").labels)
    return float(model.score(test.numpy(), data.images(modality, "test").labels))


def test_colour_and_ink_do_not_tell_the_class(data: ShapesDataset) -> None:
    def colour(images: Tensor) -> Tensor:
        pixels = images.float().flatten(2)
        return torch.cat([pixels.mean(dim=2), pixels.std(dim=2)], dim=1)

    def border(images: Tensor) -> Tensor:
        return torch.cat([images[:, :, 0], images[:, :, -1], images[:, :, :, 0]], dim=2).float().flatten(1)[:, ::6]

    photos = stacked(data, "photo", "train"), stacked(data, "photo", "test")
    assert accuracy(colour(photos[0]), colour(photos[1]), data, "photo") < 0.25
    assert accuracy(border(photos[0]), border(photos[1]), data, "photo") < 0.25


def test_split_hash_tells_data_sets_apart() -> None:
    variants = [
        ShapesDataset(),
        ShapesDataset(seed=1),
        ShapesDataset(train=10),
        ShapesDataset(validation=10),
        ShapesDataset(test=10),
        ShapesDataset(sketches=2),
    ]
    assert len({variant.split_hash for variant in variants}) == len(variants)
    assert ShapesDataset(size=64, cache=False).split_hash == ShapesDataset().split_hash


@pytest.mark.parametrize(
    ("field", "value"), [("size", 8), ("seed", -1), ("seed", 2**64), ("test", -3), ("sketches", 0)]
)
def test_user_mistakes_are_named(field: str, value: int) -> None:
    arguments: dict[str, Any] = {field: value}
    with pytest.raises(InputError, match=rf"^{field}: must be in \[.*\), got {value}$"):
        ShapesDataset(**arguments)


def test_an_empty_split_and_a_missing_sketch_are_refused(data: ShapesDataset) -> None:
    with pytest.raises(InputError, match="empty"):
        ShapesDataset(validation=0).images("photo", "validation")
    for i in (-1, 150):
        with pytest.raises(InputError, match=f"^i: must be the index of one of the 150 test sketches, got {i}$"):
            data.strokes("test", i)


def test_it_travels_to_workers(data: ShapesDataset) -> None:
    images = data.images("sketch", "validation")
    assert torch.equal(pickle.loads(pickle.dumps(images)).read(3), images.read(3))


def test_no_file_is_opened() -> None:
    images = [ShapesDataset(train=1, cache=False).images(modality, "train") for modality in ("photo", "sketch")]
    for each in images:
        each.read(0)  # imports done
    opened: list[str] = []
    listening = True

    def listen(event: str, args: tuple[object, ...]) -> None:
        if listening and event == "open":
            opened.append(str(args[0]))

    sys.addaudithook(listen)  # stays for the life of the process, deaf after this test
    for each in images:
        for i in range(len(each)):
            each.read(i)
    listening = False
    assert opened == []
