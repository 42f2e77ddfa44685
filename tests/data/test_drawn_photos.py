"""Pictures of drawings in the place of photos: looks, names, strokes, and data sets without strokes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.pair_folders import write_pairs

from crossx.core.errors import InputError
from crossx.data import DrawnPhotos, ShapesDataset
from crossx.data.pair_folders import PairFolders
from crossx.data.paired import PairedData
from crossx.strokes.quickdraw import LINE_WIDTH, THINNEST
from crossx.strokes.raster import rasterise


@pytest.fixture(scope="module")
def shapes() -> ShapesDataset:
    return ShapesDataset(size=32, train=2, validation=1, test=1, detail="fine")


def test_lines_are_the_strokes_of_the_sketch(shapes: ShapesDataset) -> None:
    data = DrawnPhotos(shapes, look="lines")
    photos, sketches = data.images("photo", "train"), data.images("sketch", "train")
    assert len(photos) == len(sketches) == len(shapes.images("sketch", "train"))
    drawn = rasterise(shapes.strokes("train", 3) or [], 32, max(THINNEST, 32 * LINE_WIDTH))
    assert np.array_equal(photos.read(3)[0].numpy(), drawn)
    assert torch.equal(sketches.read(3), shapes.images("sketch", "train").read(3))
    assert photos.read(3, 2).shape == (3, 64, 64)


def test_coloured_pictures_are_the_same_in_every_run_and_differ_by_look_and_split(shapes: ShapesDataset) -> None:
    first, second = (DrawnPhotos(shapes, looks=3).images("photo", "train") for _ in range(2))
    pictures = [first.read(i) for i in range(3)]
    assert all(torch.equal(picture, second.read(i)) for i, picture in enumerate(pictures))
    assert not torch.equal(pictures[0], pictures[1])
    assert all((picture[0] != picture[2]).any() for picture in pictures), "they have colours"
    assert not torch.equal(DrawnPhotos(shapes).images("photo", "validation").read(0), pictures[0])


def test_every_look_is_a_photo_of_its_own_with_the_sketch_of_all(shapes: ShapesDataset) -> None:
    data = DrawnPhotos(shapes, looks=3)
    photos, sketches = data.images("photo", "train"), data.images("sketch", "train")
    inner = shapes.images("sketch", "train")
    assert len(photos) == len(sketches) == 3 * len(inner)
    assert photos.names[3:6] == [f"{inner.names[1]}@{look}" for look in range(3)]
    assert photos.labels[3:6].tolist() == [int(inner.labels[1])] * 3
    assert data.own_photos("train").tolist() == list(range(len(photos)))
    assert torch.equal(sketches.read(3), sketches.read(5))
    assert all(
        np.array_equal(a, b) for a, b in zip(data.strokes("train", 5), shapes.strokes("train", 1) or [], strict=True)
    )


def test_the_hash_tells_looks_apart(shapes: ShapesDataset) -> None:
    coloured = {DrawnPhotos(shapes, looks=looks).split_hash for looks in (1, 2)}
    hashes = coloured | {DrawnPhotos(shapes, look="lines").split_hash}
    assert len(hashes) == 3
    assert DrawnPhotos(shapes, "lines", 4).split_hash == DrawnPhotos(shapes, "lines").split_hash, "lines look alike"


def test_mistakes(shapes: ShapesDataset) -> None:
    with pytest.raises(InputError, match=r"^DrawnPhotos\.look: must be one of lines, coloured; got 'line' \(did you"):
        DrawnPhotos(shapes, look="line")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(InputError, match=r"^DrawnPhotos\.looks: must be at least 1, got 0$"):
        DrawnPhotos(shapes, looks=0)


def test_a_data_set_without_strokes_is_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    readers = PairFolders("photo", str(tmp_path)), PairFolders("sketch", str(tmp_path))
    data = DrawnPhotos(PairedData("own", *readers, size=24, categories=["car", "cup"]))
    with pytest.raises(InputError, match=r"^DrawnPhotos\.dataset: must have strokes, got own with images only$"):
        data.images("photo", "train").read(0)
