"""The reader of QMUL V2 as a fine-grained data set: parts, partners, strokes and images of one sketch."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from crossx.core.errors import InputError
from crossx.data.paired import PairedData
from crossx.data.qmul_v2 import QMULV2

LINE = np.array([[64, 128, 0], [192, 128, 1], [128, 64, 0], [128, 192, 1]], dtype=np.float64)
PHOTOS = {"train": [f"t_{i}" for i in range(10)], "test": ["p_1", "p_2"]}


def photo(path: Path, value: int = 255) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (value, 0, 255 - value)).save(path)


def write(root: Path, entries: dict[str, np.ndarray]) -> PairedData:
    (root / "ShoeV2_Coordinate").write_bytes(pickle.dumps(entries, 3))
    readers = QMULV2("photo", str(root)), QMULV2("sketch", str(root))
    return PairedData("shoev2", *readers, size=32, categories=["shoe"])


def entries() -> dict[str, np.ndarray]:
    shift = np.array([1, 0, 0])
    return {f"/{part}/{own}_{n}": LINE + n * shift for part, ids in PHOTOS.items() for own in ids for n in (1, 2)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for place, own in enumerate([*PHOTOS["train"], *PHOTOS["test"]]):
        photo(tmp_path / f"photo/{own}.png", 10 * place)
    return tmp_path


def test_parts_are_those_of_the_keys_and_a_tenth_validates(root: Path) -> None:
    data = write(root, entries())
    photos, sketches = data.images("photo", "test"), data.images("sketch", "test")
    assert [Path(name).stem for name in photos.names] == ["p_1", "p_2"]
    assert [Path(name).name for name in sketches.names] == ["p_1_1", "p_1_2", "p_2_1", "p_2_2"]
    assert data.own_photos("test").tolist() == [0, 0, 1, 1]
    assert data.held_out == 1
    assert [len(data.images("sketch", split)) for split in ("train", "validation")] == [18, 2]
    trained = {Path(name).stem for split in ("train", "validation") for name in data.images("photo", split).names}
    assert trained == set(PHOTOS["train"])


def test_strokes_and_image_show_the_same_sketch(root: Path) -> None:
    data = write(root, entries())
    strokes = data.strokes("test", 1)
    assert strokes is not None
    shift = 2 / 256
    assert np.allclose(strokes[0], [[0.25 + shift, 0.5], [0.75 + shift, 0.5]])
    assert np.allclose(strokes[1], [[0.5 + shift, 0.25], [0.5 + shift, 0.75]])
    image = data.images("sketch", "test").read(1)
    assert image[0, 16, 9:23].max() < 200
    assert image[0, 8:24, 16].max() < 200
    assert image[0, :6].min() == 255
    assert set(data.images("photo", "test").read(1)[0].flatten().tolist()) == {110}


def test_a_photo_without_sketch_is_free_and_a_sketch_without_photo_left_out(root: Path) -> None:
    photo(root / "photo/free.png")
    given = {**entries(), "/train/gone_1": LINE, "/test/gone2_1": LINE}
    data = write(root, given)
    with pytest.warns(UserWarning, match=r"gone"):
        train = data.images("photo", "train")
    place = next(i for i, name in enumerate(train.names) if name.endswith("free.png"))
    assert place in data.unlabelled(1.0)
    assert len(data.images("sketch", "test")) == 4
    assert "free" not in {Path(name).stem for name in data.images("photo", "test").names}


def test_two_files_of_one_photo_are_refused(root: Path) -> None:
    photo(root / "photo/p_1.jpg")
    with pytest.raises(InputError, match=r"^shoev2: photos must have an id each, got .*p_1\.jpg' and .*p_1\.png'"):
        write(root, entries()).images("photo", "test")


def test_broken_strokes_are_refused_by_their_key(root: Path) -> None:
    broken = {**entries(), "/train/t_3_2": LINE * [1, np.nan, 1]}
    with pytest.raises(InputError, match=r"ShoeV2_Coordinate: '/train/t_3_2': must be finite, got NaN or infinity$"):
        write(root, broken).images("sketch", "train")


def test_the_split_hash_follows_the_parts(root: Path) -> None:
    first = write(root, entries()).split_hash
    assert write(root, entries()).split_hash == first
    moved = {key.replace("/test/p_2", "/train/p_2"): points for key, points in entries().items()}
    assert write(root, moved).split_hash != first
    drawn = write(root, {key: points[:2] for key, points in entries().items()})
    assert drawn.split_hash == first, "strokes are no part of it"
    assert not torch.equal(
        drawn.images("sketch", "test").read(0), write(root, entries()).images("sketch", "test").read(0)
    )
