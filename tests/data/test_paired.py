"""Pairs in folders: parts, sketches and photos without partner, extra photos, and mistakes."""

import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageEnhance
from support.pair_folders import write_pairs

from crossx.core.errors import InputError
from crossx.data.pair_folders import PairFolders
from crossx.data.pair_split import computed_parts, pair_split_text, read_pair_split
from crossx.data.paired import PairedData
from crossx.data.sketchy import Sketchy
from crossx.types import MODALITIES


def pairs(root: Path, split: str | None = None, extra: dict[str, str] | None = None) -> PairedData:
    readers = PairFolders("photo", str(root)), PairFolders("sketch", str(root))
    return PairedData("own", *readers, size=24, categories=None if split else ["car", "cup"], split=split, extra=extra)


def test_parts_of_the_release_and_a_tenth_validates(tmp_path: Path) -> None:
    write_pairs(tmp_path, count=10)
    data = pairs(tmp_path)
    assert [len(data.images("photo", split)) for split in ("train", "validation", "test")] == [18, 2, 20]
    assert [len(data.images("sketch", split)) for split in ("train", "validation", "test")] == [36, 4, 40]
    test = data.images("photo", "test")
    assert test.names[0] == "car/test/photo/shop_0.png"
    assert (test.instances or [])[0] == "car/test/shop_0"
    assert test.labels.tolist() == [0] * 10 + [1] * 10
    assert data.own_photos("test").tolist() == [i // 2 for i in range(40)]
    assert data.strokes("test", 0) is None
    assert data.images("sketch", "test").read(0).shape == (3, 24, 24)
    assert len({pair.photo for pair in data.labelled(0.5)}) == 10  # of 20 photos, the validating ones among them
    assert len({pair.photo for pair in data.labelled(1.0)}) == 18


def test_without_parts_the_hash_of_each_photo_decides(tmp_path: Path) -> None:
    write_pairs(tmp_path, count=20, parts=False)
    few = pairs(tmp_path)
    tested = set(few.images("photo", "test").instances or [])
    assert 2 <= len(tested) <= 18
    Image.new("RGB", (24, 24)).save(tmp_path / "car/photo/new.png")
    Image.new("RGB", (24, 24)).save(tmp_path / "car/sketch/new.png")
    assert tested == set(pairs(tmp_path).images("photo", "test").instances or []) - {"car/new"}


def test_ids_have_underscores_and_hyphens_of_their_own(tmp_path: Path) -> None:
    for name in ("chair_1", "chair", "a_b-c", "x"):
        Image.new("RGB", (8, 8)).save(_made(tmp_path / "c/photo") / f"{name}.png")
    for name in ("chair_1", "chair_2", "chair_1_3", "a_b-c_12", "a_b-c-4", "x"):
        Image.new("RGB", (8, 8)).save(_made(tmp_path / "c/sketch") / f"{name}.png")
    reader = PairFolders("sketch", str(tmp_path))
    found = dict(zip(reader.names("c"), reader.instances(reader.names("c")), strict=True))
    assert {Path(name).stem: instance for name, instance in found.items()} == {
        "a_b-c-4": "a_b-c",
        "a_b-c_12": "a_b-c",
        "chair_1": "chair_1",
        "chair_1_3": "chair_1",
        "chair_2": "chair",
        "x": "x",
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_sketches_without_photo_are_left_out_and_photos_without_sketch_are_gallery_only(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    (tmp_path / "car/test/photo/shop_0.png").unlink()
    for path in (tmp_path / "cup/test/sketch").glob("shop_1_*"):
        path.unlink()
    for path in (tmp_path / "cup/train/sketch").glob("shop_2_*"):
        path.unlink()
    data = pairs(tmp_path)
    with pytest.warns(
        UserWarning, match="2 sketches of own are left out, because their photos are not there: car/test"
    ):
        assert len(data.images("photo", "test")) == 7
    assert len(data.images("sketch", "test")) == 12
    free = [data.images("photo", "train").names[i] for i in data.unlabelled(1.0)]
    assert free == ["cup/train/photo/shop_2.png"]


def test_two_photos_of_one_id(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "car/test/photo/shop_0.jpg")
    with pytest.raises(
        InputError, match=r"photos must have an id each, got 'car/test/photo/shop_0\.jpg' and '.*\.png'"
    ):
        pairs(tmp_path).images("photo", "test")


def test_extra_photos_that_show_test_photos_are_left_out_and_listed(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs")
    extra = _made(tmp_path / "extra")
    test = tmp_path / "pairs/car/test/photo"
    (extra / "equal.png").write_bytes((test / "shop_0.png").read_bytes())
    with Image.open(test / "shop_1.png") as photo:
        ImageEnhance.Brightness(photo.resize((48, 48))).enhance(0.9).save(extra / "near.jpg", quality=90)
    write_pairs(tmp_path / "others", count=9, classes=("tree",))
    for path in (tmp_path / "others/tree/train/photo").iterdir():
        path.rename(extra / path.name)
    data = pairs(tmp_path / "pairs", extra={"car": str(extra)})
    with pytest.warns(
        UserWarning, match=r"2 extra photos are left out, .*extra/equal\.png shows car/test/photo/shop_0"
    ):
        train = data.images("photo", "train")
    assert [(found.extra, found.photo, found.equal) for found in data.duplicates] == [
        ("extra/equal.png", "car/test/photo/shop_0.png", True),
        ("extra/near.jpg", "car/test/photo/shop_1.png", False),
    ]
    added = [name for name in train.names if name.startswith("extra:")]
    assert len(added) == 9
    free = data.unlabelled(0.5)
    place = train.names.index(added[0])
    assert place in free
    assert train.labels[place] == 0
    assert not torch.equal(train.read(place), train.read(place + 1))
    assert data.split_hash != pairs(tmp_path / "pairs").split_hash


def test_an_extra_folder_that_is_empty_or_the_test_folder(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    empty = _made(tmp_path / "empty")
    with pytest.raises(InputError, match=r"empty: must hold images"):
        pairs(tmp_path, extra={"car": str(empty)}).images("photo", "train")
    same = str(tmp_path / "car/test/photo")
    with pytest.raises(
        InputError, match=r"car/test/photo must hold photos that are not in the test part, got duplicates"
    ):
        pairs(tmp_path, extra={"car": same}).images("photo", "train")
    with pytest.raises(InputError, match=r"^extra: must have categories of car, cup, got 'dog'$"):
        pairs(tmp_path, extra={"dog": same})


def test_a_split_file_fixes_the_parts(tmp_path: Path) -> None:
    write_pairs(tmp_path, count=10)
    names = [f"{c}/{part}/shop_{i}" for c in ("car", "cup") for part in ("train", "test") for i in range(10)]
    parts = computed_parts(names, set(names))
    split = tmp_path / "split.tsv"
    split.write_text(pair_split_text(parts, "A remark."))
    assert read_pair_split(split) == parts
    fixed = pairs(tmp_path, str(split))
    assert fixed.classes == ("car", "cup")
    assert fixed.split_hash == pairs(tmp_path).split_hash
    (tmp_path / "cup/train/photo/shop_3.png").unlink()
    with pytest.raises(
        InputError, match=r"must hold the 40 photos of .*split\.tsv, got 39; missing: cup/train/shop_3$"
    ):
        pairs(tmp_path, str(split)).images("photo", "test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"the first line must have the columns photo, part"),
        ("photo\tpart\na/b\t12\n", r"line 2: must be a photo <category>/<instance>, a tab, and one of test, free, 0"),
        ("photo\tpart\nb\ttest\n", r"line 2: must be a photo <category>/<instance>"),
        ("photo\tpart\na/b\ttest\na/b\t3\n", r"line 3: must be the only line of a photo, got 'a/b' again"),
    ],
)
def test_malformed_split_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "split.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_pair_split(path)


def test_invalid_sketches_of_sketchy_are_left_out_where_asked(tmp_path: Path) -> None:
    for modality, names in (("photo", ["n1_2.jpg"]), ("sketch", ["n1_2-1.png", "n1_2-2.png", "n1_2-3.png"])):
        folder = _made(tmp_path / f"256x256/{modality}/tx_000000000000/cat")
        for name in names:
            Image.new("RGB", (8, 8)).save(folder / name)
    (_made(tmp_path / "info") / "invalid-error.txt").write_text("n1_2-1\ncat/n1_2-3.png\n")
    assert Sketchy("sketch", str(tmp_path), leave_out_invalid=True).names("cat") == ["cat/n1_2-2.png"]
    assert len(Sketchy("sketch", str(tmp_path)).names("cat")) == 3
    assert len(Sketchy("photo", str(tmp_path), leave_out_invalid=True).names("cat")) == 1


def test_nothing_is_told_where_nothing_is_left_out(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(pairs(tmp_path).images("sketch", "test")) == 16


def test_extra_folders_of_one_last_name_are_told_apart(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs", count=10)
    for category, colour in (("car", 10), ("cup", 200)):
        Image.new("RGB", (24, 24), (colour, 0, 99)).save(_made(tmp_path / category / "extra") / "0.png")
    data = pairs(tmp_path / "pairs", extra={name: str(tmp_path / name / "extra") for name in ("car", "cup")})
    train = data.images("photo", "train")
    added = [i for i, name in enumerate(train.names) if name.startswith("extra:")]
    assert [int(train.read(i)[0, 0, 0]) for i in added] == [10, 200]
    assert set(added) <= set(data.unlabelled(1.0))


def test_too_few_pairs_for_three_parts_are_told(tmp_path: Path) -> None:
    write_pairs(tmp_path, count=2)
    data = pairs(tmp_path)
    assert len(data.images("photo", "train")) == 4
    for modality in MODALITIES:
        with pytest.raises(
            InputError, match=rf"^own: must have a {modality} for validation, got none from 8 photos with"
        ):
            data.images(modality, "validation")
