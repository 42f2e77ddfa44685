import contextlib
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from jsonargparse import ArgumentParser
from support import layouts

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.data.base import RetrievalData
from crossx.data.folders import ImageFolder
from crossx.data.joined import JoinedData
from crossx.data.reader import ImageReader
from crossx.data.sketchy import Sketchy
from crossx.data.tuberlin import TUBerlin
from crossx.types import MODALITIES

CLASSES = {
    "car": {"photo": ["train/automobile", "test/automobile"], "sketch": ["suv", "car (sedan)"]},
    "cat": {"photo": ["train/cat", "test/cat"], "sketch": ["cat"]},
}
SPLIT = """modality\tfolder\timages\ttrain\tvalidation\ttest
photo\ttrain/automobile\t4\t0:3\t3\t-
photo\ttrain/cat\t5\t0:3\t3:5\t-
photo\ttest/automobile\t2\t-\t-\t0:2
photo\ttest/cat\t2\t-\t-\t0:2
sketch\tsuv\t4\t0:2\t2\t3
sketch\tcar (sedan)\t4\t0:2\t2\t3
sketch\tcat\t4\t0:2\t-\t3
"""


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., JoinedData]:
    """Maker of a data set with CIFAR's and TU-Berlin's layouts in tmp_path; files can be replaced by arguments."""
    layouts.image_folder(
        tmp_path / "cifar", {"train/automobile": 4, "train/cat": 5, "test/automobile": 2, "test/cat": 2}
    )
    layouts.tuberlin(tmp_path / "tuberlin", {"car (sedan)": 4, "cat": 4, "suv": 4})

    def make(
        split: str = SPLIT,
        class_map: object = None,
        classes: str | list[str] | None = None,
        photos: ImageReader | None = None,
        size: int = 16,
        cache: bool = False,
    ) -> JoinedData:
        (tmp_path / "split.tsv").write_text(split)
        (tmp_path / "map.json").write_text(json.dumps(class_map or {"classes": CLASSES, "groups": {"pets": ["cat"]}}))
        return JoinedData(
            name="tiny",
            photos=photos or ImageFolder(str(tmp_path / "cifar"), "photo"),
            sketches=TUBerlin(str(tmp_path / "tuberlin")),
            class_map=str(tmp_path / "map.json"),
            split=str(tmp_path / "split.tsv"),
            size=size,
            classes=classes,
            cache=cache,
        )

    return make


def test_parts_are_what_the_split_says(make: Callable[..., JoinedData]) -> None:
    data = make()
    assert data.classes == ("car", "cat")
    photos = data.images("photo", "validation")
    assert photos.names == ["train/automobile/00003.jpg", "train/cat/00003.jpg", "train/cat/00004.jpg"]
    assert photos.labels.tolist() == [0, 1, 1]
    assert photos.instances is None
    sketches = data.images("sketch", "test")
    assert sketches.names == ["suv/12.png", "car (sedan)/4.png", "cat/8.png"]
    assert sketches.labels.tolist() == [0, 0, 1]
    assert data.images("sketch", "validation").labels.tolist() == [0, 0]
    assert data.images("photo", "validation") is photos  # listed once


def test_images_are_batches_of_the_contract(make: Callable[..., JoinedData]) -> None:
    photos = make(cache=True).images("photo", "train")
    batch = stack([photos[i] for i in range(len(photos))])
    assert batch.image.shape == (6, 3, 16, 16)
    assert batch.image.dtype == torch.float32
    assert 0 <= batch.image.min() <= batch.image.max() <= 1
    assert batch.label.tolist() == [0, 0, 0, 1, 1, 1]
    assert batch.modality == "photo"


def test_a_group_or_a_list_of_classes(make: Callable[..., JoinedData]) -> None:
    pets = make(classes="pets")
    assert pets.classes == ("cat",)
    assert pets.images("photo", "test").names == ["test/cat/00000.jpg", "test/cat/00001.jpg"]
    assert make(classes=["cat", "car"]).images("photo", "test").names == make().images("photo", "test").names


def test_hash_changes_with_split_map_and_classes_only(make: Callable[..., JoinedData]) -> None:
    usual = make().split_hash
    assert len(usual) == 64
    assert make(size=32, cache=True).split_hash == usual
    other_map = {"classes": CLASSES | {"cat": {"photo": ["train/cat"], "sketch": ["cat"]}}}
    others = [make(split=SPLIT.replace("3:5", "3")), make(class_map=other_map), make(classes="pets")]
    assert len({usual, *(other.split_hash for other in others)}) == 4


def test_making_one_touches_no_image(make: Callable[..., JoinedData]) -> None:
    data = make(photos=ImageFolder("not/here", "photo"))
    assert data.split_hash == make().split_hash
    with pytest.raises(InputError, match="not/here"):
        data.images("photo", "test")


@pytest.mark.parametrize("change", ["missing", "extra"])
def test_a_folder_with_another_number_of_files(change: str, make: Callable[..., JoinedData], tmp_path: Path) -> None:
    if change == "missing":
        (tmp_path / "cifar/train/cat/00001.jpg").unlink()
    else:
        layouts.save_photo(tmp_path / "cifar/train/cat/00001b.jpg", 1)
    with pytest.raises(
        InputError, match=rf"train/cat: must hold 5 images for .*, got {4 if change == 'missing' else 6}"
    ):
        make().images("photo", "train")


def test_a_class_folder_that_is_not_there(make: Callable[..., JoinedData], tmp_path: Path) -> None:
    (tmp_path / "tuberlin/png/cat").rename(tmp_path / "tuberlin/png/kitten")
    with pytest.raises(InputError, match=r"map\.json: class 'cat': .*png/cat does not exist.*'car \(sedan\)'"):
        make().images("sketch", "train")


def test_a_folder_of_the_map_without_a_line(make: Callable[..., JoinedData]) -> None:
    with pytest.raises(
        InputError, match=r"map\.json: class 'cat' has the sketch folder 'cat'.*no line in .*split\.tsv"
    ):
        make(split=SPLIT.replace("sketch\tcat", "sketch\tkitten"))


def test_an_empty_part(make: Callable[..., JoinedData]) -> None:
    with pytest.raises(InputError, match=r"split\.tsv: the validation part has no sketch of cat"):
        make(classes="pets").images("sketch", "validation")


def test_arguments_that_make_no_sense(make: Callable[..., JoinedData], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be a reader of modality 'photo', got ImageFolder of modality 'sketch'"):
        make(photos=ImageFolder(str(tmp_path), "sketch"))
    with pytest.raises(InputError, match="size: must be at least 1, got 0"):
        make(size=0)
    with pytest.raises(InputError, match=r"class_map: 'no\.json' does not exist"):
        JoinedData("x", ImageFolder("x", "photo"), TUBerlin(), "no.json", str(tmp_path / "split.tsv"), 8)


HASHED = (
    SPLIT.splitlines()[0]
    + "\n"
    + "".join(f"{m}\t{f}\t*\t#2:10\t#1\t#0\n" for m in MODALITIES for c in CLASSES.values() for f in c[m])
)


def test_a_class_too_small_for_its_part(make: Callable[..., JoinedData]) -> None:
    message = r"class 'car': the validation part must have a photo, got none of 6: too few to split by hash.*; 1 more"
    with pytest.raises(InputError, match=rf"split\.tsv: {message}"):
        make(split=HASHED).images("photo", "validation")
    assert set(make(split=HASHED).images("photo", "train").labels) == {0, 1}
    # Another folder of the class fills the part.
    assert make(split=HASHED, classes=["car"]).images("sketch", "validation").names == ["car (sedan)/4.png"]
    with pytest.raises(InputError, match="class 'cat': the validation part must have a sketch, got none of 4"):
        make(split=HASHED).images("sketch", "validation")


def test_a_class_that_a_part_does_not_promise_may_be_missing(make: Callable[..., JoinedData]) -> None:
    split = SPLIT.replace("photo\ttest/cat\t2\t-\t-\t0:2", "photo\ttest/cat\t2\t-\t-\t-")
    assert set(make(split=split).images("photo", "test").labels) == {0}


def test_two_names_of_one_folder(make: Callable[..., JoinedData], tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "tuberlin/png/cat")
    (tmp_path / "tuberlin/png/cat").symlink_to("suv")
    with pytest.raises(InputError, match=r"class 'cat': sketch folder 'cat' must be .* of its own, got .* 'suv'"):
        make().images("sketch", "train")


def test_left_out_files_of_all_folders_are_one_warning(make: Callable[..., JoinedData], tmp_path: Path) -> None:
    for name in ("train/cat/1.heic", "train/automobile/1.heic", "train/cat/list"):
        (tmp_path / "cifar" / name).write_bytes(b"")
    layouts.save_photo(tmp_path / "cifar/train/cat/more/1.jpg", 1)
    data = make()
    with pytest.warns(UserWarning, match="left out") as heard:
        data.images("photo", "train")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.images("photo", "validation")  # of the same folders
    (text,) = [str(warning.message) for warning in heard if "left out" in str(warning.message)]
    assert "2 with the ending .heic, such as" in text
    assert "1 without an ending" in text
    assert "1 in folders that are not named, such as" in text


def test_a_folder_inside_another_that_is_named_too(make: Callable[..., JoinedData], tmp_path: Path) -> None:
    (tmp_path / "cifar/test/cat").rename(tmp_path / "cifar/train/cat/test")
    split = SPLIT.replace("test/cat\t2\t-\t-\t0:2", "train/cat/test\t2\t0:2\t-\t-")
    class_map = {"classes": CLASSES | {"cat": {"photo": ["train/cat", "train/cat/test"], "sketch": ["cat"]}}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(make(split=split, class_map=class_map).images("photo", "train")) == 8


def test_a_wrong_number_says_what_was_left_out(make: Callable[..., JoinedData], tmp_path: Path) -> None:
    (tmp_path / "cifar/train/cat/00001.jpg").rename(tmp_path / "cifar/train/cat/00001.heic")
    with pytest.raises(InputError, match=r"got 4: the data set is .*; left out: 1 with the ending \.heic, such as"):
        make().images("photo", "train")


def test_byte_order_marks(make: Callable[..., JoinedData], tmp_path: Path) -> None:
    usual = make().split_hash
    for name in ("split.tsv", "map.json"):
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    files = (str(tmp_path / "map.json"), str(tmp_path / "split.tsv"))
    photos, sketches = ImageFolder(str(tmp_path / "cifar"), "photo"), TUBerlin(str(tmp_path / "tuberlin"))
    data = JoinedData("tiny", photos, sketches, *files, size=16)
    assert len(data.images("photo", "train")) == 6
    assert data.split_hash == usual


def test_instance_pairs_of_sketchy(tmp_path: Path) -> None:
    layouts.sketchy(tmp_path, {"ant": ["n1_10", "n1_2"]})
    (tmp_path / "map.json").write_text(json.dumps({"classes": {"ant": {"photo": ["ant"], "sketch": ["ant"]}}}))
    rows = "photo\tant\t2\t0\t-\t1\nsketch\tant\t4\t0:2\t-\t2:4\n"
    (tmp_path / "split.tsv").write_text(SPLIT.splitlines()[0] + "\n" + rows)
    data = JoinedData(
        "ants",
        Sketchy("photo", str(tmp_path)),
        Sketchy("sketch", str(tmp_path)),
        str(tmp_path / "map.json"),
        str(tmp_path / "split.tsv"),
        size=8,
    )
    assert data.images("photo", "test").instances == ["n1_2"]
    assert data.images("sketch", "test").instances == ["n1_2", "n1_2"]


def test_class_paths_in_yaml() -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(RetrievalData, "data")
    config = """
    data:
      class_path: crossx.data.joined.JoinedData
      init_args:
        name: cifar-tuberlin
        photos: {class_path: crossx.data.folders.ImageFolder, init_args: {root: cifar10, modality: photo}}
        sketches: {class_path: crossx.data.tuberlin.TUBerlin}
        class_map: crossx:data/splits/cifar_tuberlin.json
        split: crossx:data/splits/cifar_tuberlin.tsv
        size: 32
        classes: [cat, dog]
    """
    data = parser.instantiate(parser.parse_string(config)).data
    assert isinstance(data, JoinedData)
    assert data.classes == ("cat", "dog")


def test_images_in_no_part_of_the_split_are_said_once(make: Callable[..., JoinedData]) -> None:
    split = SPLIT.replace("photo\ttrain/cat\t5\t0:3\t3:5", "photo\ttrain/cat\t5\t0:2\t4")
    data = make(split=split)
    with pytest.warns(UserWarning, match=r"^data: 2 photo images are in no part of .*split\.tsv, such as train/cat/"):
        assert len(data.images("photo", "train")) == 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.images("photo", "validation")
        data.images("photo", "test")


def test_images_of_tenths_in_no_part_are_said(make: Callable[..., JoinedData]) -> None:
    split = SPLIT.replace("photo\ttrain/cat\t5\t0:3\t3:5\t-", "photo\ttrain/cat\t*\t#0:1\t#1:2\t-")
    with pytest.warns(UserWarning, match=r"^data: \d photo images are in no part"), contextlib.suppress(InputError):
        make(split=split).images("photo", "train")


def test_hundreds_of_classes_are_not_listed(make: Callable[..., JoinedData]) -> None:
    names = {f"class {i}": {"photo": [f"p{i}"], "sketch": [f"s{i}"]} for i in range(500)}
    with pytest.raises(InputError, match=r"'class 31x'") as caught:
        make(class_map={"classes": names}, classes=["class 31x"])
    assert "and 495 more" in str(caught.value)
    assert len(str(caught.value)) < 300
    with pytest.raises(InputError, match=r"unknown \['class 0', .* and 495 more\]") as caught:
        make(class_map=names)
