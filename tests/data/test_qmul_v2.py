"""QMUL V2 in three layouts, the released strokes of Chair V2, and broken files."""

import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from crossx.core.errors import InputError
from crossx.data.qmul_v2 import QMULV2

Points = npt.NDArray[np.float64]
IDS = {"train": [f"1{i}_shoe-{i}" for i in range(12)], "test": ["20_a", "21"]}
LINE: Points = np.array([[64, 128, 0], [192, 128, 1], [128, 64, 0], [128, 192, 1]], dtype=np.float64)


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "white").save(path)


def coordinates(folder: Path, entries: object, protocol: int = 3) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ShoeV2_Coordinate").write_bytes(pickle.dumps(entries, protocol))


def by_coordinates(folder: Path) -> None:
    coordinates(folder, {f"/{part}/{photo}_{n}": LINE for part, ids in IDS.items() for photo in ids for n in (1, 2)})
    for photo in [*IDS["train"], *IDS["test"], "free_1"]:
        image(folder / f"photo/{photo}.png")


def by_sides(folder: Path) -> None:
    for part, ids in IDS.items():
        for photo in ids:
            image(folder / f"{part}B/{photo}.png")
            for n in (1, 2):
                image(folder / f"{part}A/{photo}_{n}.png")


def by_lists(folder: Path) -> None:
    for part, ids in IDS.items():
        sketches = [f"{photo}_{n}.png" for photo in ids for n in (1, 2)]
        photos = [f"{photo}.png" for photo in ids]
        for modality, names in (("photo", photos), ("sketch", sketches)):
            for name in names:
                image(folder / f"ShoeV2_{modality}/{name}")
            (folder / f"{modality}_{part}.txt").write_text("\n".join(names) + "\n")


@pytest.mark.parametrize("layout", [by_coordinates, by_sides, by_lists], ids=lambda layout: layout.__name__)
@pytest.mark.parametrize("inside", [True, False])
def test_every_layout_gives_the_same_pairs(layout: object, inside: bool, tmp_path: Path) -> None:
    assert callable(layout)
    layout(tmp_path / "shoes" if inside else tmp_path)
    photos, sketches = QMULV2("photo", str(tmp_path)), QMULV2("sketch", str(tmp_path))
    names = sketches.names("shoes")
    assert sketches.instances(names) == [
        f"{part}/{photo}" for part in ("train", "test") for photo in sorted(IDS[part]) for _ in range(2)
    ]
    assert len(set(names)) == 28
    assert sketches.read(names[0], 16).shape == (3, 16, 16)
    found = photos.instances(photos.names("shoes"))
    assert [f"{part}/{photo}" for part in ("train", "test") for photo in sorted(IDS[part])] == [
        instance for instance in found if instance != "free_1"
    ]
    strokes = sketches.strokes(next(name for name in names if "/test/" in name))
    if layout is by_coordinates:
        assert strokes is not None
        assert [s.tolist() for s in strokes] == [[[0.25, 0.5], [0.75, 0.5]], [[0.5, 0.25], [0.5, 0.75]]]
        assert sketches.read(names[0], 64)[0, 32, 20] < 100
    else:
        assert strokes is None


def test_chair_v2_as_published() -> None:
    sketches = QMULV2("sketch", "chairv2")
    names = sketches.names("chairs")
    instances = sketches.instances(names)
    for part, count, photos in (("train", 952, 300), ("test", 323, 100)):
        found = [instance for instance in instances if instance.startswith(f"{part}/")]
        assert (len(found), len(set(found))) == (count, photos)
    drawings = [sketches.strokes(name) for name in names]
    points = [sum(map(len, drawing)) for drawing in drawings if drawing is not None]
    assert (min(points), int(np.median(points)), max(points)) == (40, 107, 519)
    assert {len(drawing) for drawing in drawings if drawing is not None} == set(range(1, 16))
    assert sum(name.count("_") > 1 for name in names) == 691


def test_a_last_row_without_lift_ends_the_drawing(tmp_path: Path) -> None:
    cut = LINE.copy()
    cut[-1, 2] = 0
    coordinates(tmp_path, {"/train/a_1": cut})
    found = QMULV2("sketch", str(tmp_path)).strokes("shoes/train/a_1")
    assert found is not None
    assert [len(stroke) for stroke in found] == [2, 2]


def changed(row: int, column: int, value: float) -> Points:
    points = LINE.copy()
    points[row, column] = value
    return points


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"/train/a_1": LINE[:0]}, r"'/train/a_1': must be rows of x, y and lift, \(N, 3\) with N >= 2, got \(0, 3\)"),
        ({"/train/a_1": LINE[:1]}, r"'/train/a_1': must be rows .* got \(1, 3\)"),
        ({"/train/a_1": LINE[:, :2]}, r"'/train/a_1': must be rows .* got \(4, 2\)"),
        ({"/train/a_1": changed(1, 0, np.nan)}, "'/train/a_1': must be finite, got NaN or infinity"),
        ({"/train/a_1": changed(1, 0, -np.inf)}, "'/train/a_1': must be finite, got NaN or infinity"),
        ({"/train/a_1": changed(1, 0, 2e4)}, r"'/train/a_1': must have coordinates in \[-10000, 10000\], got 20000"),
        ({"/train/a_1": changed(1, 0, 900)}, "'/train/a_1': must be on a canvas of 256 pixels"),
        ({"/train/a_1": changed(1, 2, 0.5)}, "'/train/a_1': must have 0 or 1 in the column of the pen"),
        ({"/train/a": LINE}, "keys must be /train/<photo id>_<n> or /test/<photo id>_<n>, got '/train/a'"),
        ({"/other/train_1": LINE}, "keys must be /train/<photo id>_<n>"),
        ({"/train/a_1": LINE, "/test/a_2": LINE}, "a photo must be in one part, got 'a' in both"),
        ([LINE], "must be a mapping from names to arrays, got a list"),
        ({}, "must hold images of modality sketch, got none"),
    ],
)
def test_broken_coordinates(entries: object, message: str, tmp_path: Path) -> None:
    coordinates(tmp_path, entries)
    with pytest.raises(InputError, match=message):
        QMULV2("sketch", str(tmp_path)).names("shoes")


def test_broken_folders(tmp_path: Path) -> None:
    def refused(message: str, place: str, modality: str = "sketch") -> None:
        with pytest.raises(InputError, match=message):
            QMULV2("photo" if modality == "photo" else "sketch", str(tmp_path / place)).names("shoes")

    (tmp_path / "empty").mkdir()
    refused(r"empty: must hold <Set>_Coordinate, trainA, or photo_train\.txt, as QMUL V2 does; got nothing", "empty")
    by_sides(tmp_path / "sides")
    image(tmp_path / "sides/trainA/plain.png")
    refused(r"sketches must be named <photo id>_<n>, got 'plain'", "sides")
    by_lists(tmp_path / "lists")
    (tmp_path / "lists/sketch_train.txt").write_text("gone_1.png\n")
    refused(r"sketch_train\.txt: must name images of .*ShoeV2_sketch, got gone_1\.png", "lists")
    (tmp_path / "lists/photo_test.txt").unlink()
    refused(r"photo_test\.txt: must be a list of files in UTF-8", "lists", "photo")
    by_coordinates(tmp_path / "two")
    (tmp_path / "two/ChairV2_Coordinate").touch()
    refused(r"two: must hold one file of coordinates, got ChairV2_Coordinate, ShoeV2_Coordinate", "two")
