"""The shipped splits against the real data, counted here by the rules and not by the files."""

import hashlib
import os
from collections import Counter
from pathlib import Path

import pytest
from support import layouts

from crossx.core.paths import package_file
from crossx.core.seeding import Stream, philox
from crossx.data.base import RetrievalData
from crossx.data.class_map import read_class_map
from crossx.data.folders import ImageFolder
from crossx.data.joined import JoinedData
from crossx.data.quickdraw import QuickDrawStrokes
from crossx.data.sketchy import Sketchy
from crossx.data.tuberlin import TUBerlin
from crossx.types import Modality, Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
MODALITIES: tuple[Modality, ...] = ("photo", "sketch")

# A change of these files changes what every published figure was measured on: give the new split a new name instead.
SHA256 = {
    "cifar_tuberlin.json": "8caeaae88b18ac6523a5e28831c5b3c201f97ba9e8ac16a7e1efeee78721a160",
    "cifar_tuberlin.tsv": "ab430d43b6c2caf6136c1513e123b93ea6a4d284288f559abaea3ace05485424",
    "quickdraw_extended.json": "02ee6b8594eafa5bf3137b813ddbf4f3da0e4292ba4524c4ad1babaaeb5ef446",
    "quickdraw_extended.tsv": "a490b3a66fc531e2a5a2bbdf10725990c591b0cc853cdf32dac5ee7beb9924e2",
    "sketchy.tsv": "3c614ed1f98b9813d49267e01ac8172e5a0d20212715166e81d956832c1938fd",
    "sketchy_subset.json": "3a94d57f19d28d362c537282f7781b25360ae30fc62a7f5b8be0c6c0f1e4a034",
    "sketchy_subset.tsv": "f20421fe9a321dab4e7a0ee6c78639b6195a89a849cdb18bbe454fa8f31be687",
    "tinyimagenet_quickdraw.json": "73a9a6f3c57bf8ed6b3b48e7c1f9ea005c4c0f172f5519539bc64cca9e48d99e",
    "tinyimagenet_quickdraw.tsv": "ff4c0f931c957765cd565869673365e1098cafa0d19e5ee285d2969696f92154",
    "tinyimagenet_sketchy.json": "8f1807d38e13c6be18c4e1dfee47cfdecc54c349d871cda9ac954f3d28627801",
    "tinyimagenet_tuberlin.json": "6d28869638e1825bafdc937354065d31ee794d509175c8e369ad035511fdd41f",
    "tinyimagenet_tuberlin.tsv": "208335b68e19b804663a1314337bb7dd159d57bc400455abc67593feb3ee2af8",
    "tinyimagenet_tuberlin_overlap.json": "0fea7f276426cc614d2e2cced3140c0cf332674d6e1bf4d378b2e02dfa3aef73",
    "tuberlin.json": "99c3772dc13d0373a57d20b906058f059588d2f49035eeeb7ac851b0fc51fb01",
    "tuberlin.tsv": "bc82015d2859786e4f41efa51a07ba063fd0490d9d5778ac32afc7fdef40cd67",
}


def made(name: str, photo_root: str, size: int = 32, classes: str | list[str] | None = None) -> JoinedData:
    layouts.real_data()
    photos, sketches = ImageFolder(photo_root, "photo"), TUBerlin()
    files = f"crossx:data/splits/{name}"
    return JoinedData(name, photos, sketches, f"{files}.json", f"{files}.tsv", size, classes)


def counts(data: RetrievalData) -> dict[tuple[Modality, Split], int]:
    return {(m, s): len(data.images(m, s)) for m in MODALITIES for s in SPLITS}


def check_tuberlin_rule(data: RetrievalData) -> None:
    for split, positions in zip(SPLITS, (range(50), range(50, 60), range(60, 80)), strict=True):
        numbers = [int(Path(name).stem) for name in data.images("sketch", split).names]
        assert all((n - 1) % 80 in positions for n in numbers)
        assert max(Counter((n - 1) // 80 for n in numbers).values()) == len(positions)


def check_disjoint(data: RetrievalData) -> None:
    for modality in MODALITIES:
        names = [name for split in SPLITS for name in data.images(modality, split).names]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("file", SHA256)
def test_shipped_files_never_change(file: str) -> None:
    text = package_file(f"data/splits/{file}").read_text(encoding="utf-8")
    assert hashlib.sha256(text.encode()).hexdigest() == SHA256[file]


def test_cifar_tuberlin() -> None:
    data = made("cifar_tuberlin", "cifar10")
    assert data.classes == ("airplane", "automobile", "bird", "cat", "dog", "frog", "horse", "ship", "truck")
    assert list(counts(data).values()) == [24_300, 2_700, 9_000, 850, 170, 340]
    assert len({name.split("/")[0] for name in data.images("sketch", "test").names}) == 17
    check_tuberlin_rule(data)
    check_disjoint(data)
    root = layouts.real_data() / "cifar10/train"
    for split, wanted in zip(SPLITS, (slice(0, 2700), slice(2700, 3000)), strict=False):
        expected = [f"train/{c}/{f}" for c in data.classes for f in sorted(os.listdir(root / c))[wanted]]
        assert data.images("photo", split).names == expected


def test_tinyimagenet_tuberlin() -> None:
    data = made("tinyimagenet_tuberlin", "tinyimagenet32")
    assert list(data.classes) == sorted(os.listdir(layouts.real_data() / "tinyimagenet32/train"))
    assert list(counts(data).values()) == [27_456, 61 * 50, 3_058, 61 * 50, 61 * 10, 61 * 20]
    check_tuberlin_rule(data)
    check_disjoint(data)
    names = data.images("photo", "validation").names
    assert (
        names[-50:]
        == [
            f"train/wine bottle/{f}"
            for f in sorted(os.listdir(layouts.real_data() / "tinyimagenet32/train/wine bottle"))
        ][-50:]
    )


def test_groups_of_tinyimagenet_tuberlin() -> None:
    every = made("tinyimagenet_tuberlin", "tinyimagenet32").classes
    known, unseen, close = (
        made("tinyimagenet_tuberlin", "tinyimagenet32", classes=group) for group in ("known", "unseen", "close")
    )
    assert unseen.classes == tuple(every[i] for i in [*range(3, 60, 4), 60])
    assert len(unseen.classes) == 16
    assert set(known.classes) == set(every) - set(unseen.classes)
    assert len(close.classes) == 48
    assert counts(unseen)["sketch", "test"] == 320
    assert len({data.split_hash for data in (known, unseen, close)}) == 3


def test_sketchy_subset() -> None:
    layouts.real_data()
    files = "crossx:data/splits/sketchy_subset"
    data = JoinedData("s", Sketchy("photo"), Sketchy("sketch"), f"{files}.json", f"{files}.tsv", size=128)
    assert len(data.classes) == 125
    assert list(counts(data).values()) == [1_875, 625, 625, 2_560, 786, 833]
    assert sum(counts(data).values()) == 3_125 + 4_179
    check_disjoint(data)
    photos = {split: set(data.images("photo", split).instances or []) for split in SPLITS}
    for split in SPLITS[1:]:
        queries, gallery = data.images("sketch", split), data.images("photo", split)
        assert set(queries.instances or []) <= set(gallery.instances or [])
        assert min(Counter(queries.labels.tolist()).values()) >= 5
        assert len(set(queries.labels.tolist())) == 125
    assert len(photos["test"] & set(data.images("sketch", "test").instances or [])) == 147
    assert not set(data.images("sketch", "train").instances or []) & (photos["validation"] | photos["test"])
    ids = sorted(p.stem for p in (layouts.real_data() / "sketchy/256x256/photo/tx_000000000000/zebra").iterdir())
    assert {ids[i] for i in (2, 7, 12, 17, 22)} <= photos["test"]
    assert data.images("photo", "test").image(0).shape == (3, 128, 128)


def test_tuberlin_sketches_keep_their_lines_at_32_pixels() -> None:
    sketches = made("cifar_tuberlin", "cifar10").images("sketch", "test")
    for i in range(0, 340, 10):
        image = sketches.image(i)
        assert image.min() < 128, sketches.names[i]
        assert 0.05 < (image[0] < 200).float().mean() < 0.6, sketches.names[i]
        assert (image[0] > 250).float().mean() > 0.3, sketches.names[i]


def test_quickdraw_as_released() -> None:
    layouts.real_data()
    strokes = QuickDrawStrokes()
    assert len(strokes.names("alarm clock")) >= 25
    image = strokes.read("alarm clock/3", 64)
    assert image.shape == (3, 64, 64)
    assert image.min() < 40
    assert 0.02 < (image[0] < 128).float().mean() < 0.4


def test_images_that_a_shipped_split_leaves_out_are_no_news(recwarn: pytest.WarningsRecorder) -> None:
    layouts.real_data()
    photos, files = ImageFolder("tinyimagenet32", "photo"), "crossx:data/splits/tinyimagenet_quickdraw"
    data = JoinedData("q", photos, QuickDrawStrokes(), f"{files}.json", f"{files}.tsv", size=32)
    assert len(data.images("sketch", "validation")) < len(data.images("sketch", "test")) == 800
    assert not [w for w in recwarn if "in no part" in str(w.message)]


def test_groups_of_partial_overlap() -> None:
    """32 classes a teacher, s of them shared: a window of the sketch teacher's moves over one shuffled list."""
    classes = read_class_map(package_file("data/splits/tinyimagenet_tuberlin_overlap.json"))
    assert classes.folders == read_class_map(package_file("data/splits/tinyimagenet_tuberlin.json")).folders
    names = sorted(classes.folders)
    order = [names[i] for i in philox(0, 0, Stream.LATENTS).permutation(61)]
    photo = set(order[:32])
    assert set(classes.select("photo")) == photo
    for shared in (6, 13, 19, 26, 32):
        sketch = set(order[32 - shared : 64 - shared])
        assert len(sketch) == 32
        assert set(classes.select(f"sketch_{shared}")) == sketch
        assert set(classes.select(f"shared_{shared}")) == photo & sketch
        assert len(photo & sketch) == shared
        assert set(classes.select(f"union_{shared}")) == photo | sketch
