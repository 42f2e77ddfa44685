from pathlib import Path

import pytest
from support import layouts

from crossx.core.errors import InputError
from crossx.data.tuberlin import TUBerlin, TUBerlinPhotos


def test_sketches_are_sorted_by_number(tmp_path: Path) -> None:
    layouts.tuberlin(tmp_path, {"airplane": 5, "alarm clock": 8})
    sketches = TUBerlin(str(tmp_path))
    assert sketches.modality == "sketch"
    assert sketches.names("alarm clock") == [f"alarm clock/{n}.png" for n in range(6, 14)]


def test_read_gives_a_grey_sketch(tmp_path: Path) -> None:
    layouts.tuberlin(tmp_path, {"airplane": 1})
    image = TUBerlin(str(tmp_path)).read("airplane/1.png", 32)
    assert image.shape == (3, 32, 32)
    assert (image[0] == image[2]).all()
    assert image.min() < 130
    assert image[0, 16].argmin() == 21 // 4


def test_a_file_that_is_not_numbered_is_an_error(tmp_path: Path) -> None:
    layouts.tuberlin(tmp_path, {"airplane": 1})
    layouts.save_sketch(tmp_path / "png/airplane/copy.png", 3)
    with pytest.raises(InputError, match=r"must be named by a number, .*copy\.png"):
        TUBerlin(str(tmp_path)).names("airplane")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("airplane", "airplane"),
        ("hot air balloon", "hotairballoon"),
        ("bear (animal)", "bearanimal"),
        ("t-shirt", "tshirt"),
        ("giraffe", "griaffe"),
        ("space shuttle", "spacesshuttle"),
        ("mouse (animal)", "mouse"),
        ("hot air balloon", "hot air balloon"),
        ("bear (animal)", "bear_(animal)"),
        ("wrist-watch", "wrist_watch"),
        ("wrist-watch", "wristwatch"),
        ("space shuttle", "spaceshuttle"),
    ],
)
def test_photos_are_found_however_their_folder_is_spelled(tmp_path: Path, name: str, folder: str) -> None:
    layouts.tuberlin_photos(tmp_path, {folder: 2, "zebra": 1})
    photos = TUBerlinPhotos(str(tmp_path))
    assert photos.modality == "photo"
    assert photos.names(name) == [f"{folder}/n00000_0.JPEG", f"{folder}/n00001_1.JPEG"]
    assert photos.read(photos.names(name)[0], 16).shape == (3, 16, 16)


def test_a_class_without_photos_is_named(tmp_path: Path) -> None:
    layouts.tuberlin_photos(tmp_path, {"zebra": 1}, "ImageResized_ready")
    with pytest.raises(InputError, match="giraffe"):
        TUBerlinPhotos(str(tmp_path), "ImageResized_ready").names("giraffe")
