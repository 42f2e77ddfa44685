"""No file of a class folder vanishes: it is read, or named by its reason."""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image, features
from support import layouts

from crossx.core.errors import InputError
from crossx.data.folders import ImageFolder
from crossx.data.quickdraw import QuickDrawStrokes
from crossx.data.reader import ImageReader
from crossx.data.sketchy import SketchyExtended
from crossx.data.tuberlin import TUBerlin, TUBerlinPhotos

FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
}


def save(path: Path, form: str = "PNG") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (200, 0, 0)).save(path, form)


@contextmanager
def warned() -> Iterator[list[str]]:
    """The texts of all warnings in the block."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        yield texts
    texts += [str(warning.message) for warning in heard]


@pytest.mark.parametrize("capitals", [False, True])
@pytest.mark.parametrize("ending", FORMATS)
def test_images_of_every_ending_are_read(ending: str, capitals: bool, tmp_path: Path) -> None:
    if ending == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    name = f"1{ending.upper() if capitals else ending}"
    save(tmp_path / "dog" / name, FORMATS[ending])
    photos = ImageFolder(str(tmp_path), "photo")
    with warned() as texts:
        assert photos.names("dog") == [f"dog/{name}"]
    assert not texts
    red, green, _ = photos.read(f"dog/{name}", 8).float().mean((1, 2)).tolist()
    assert red > 180 > 20 > green


@pytest.mark.parametrize("ending", [".jfif", ".gif", ".tif", ".avif"])
def test_a_rare_ending_over_another_format_is_refused(ending: str, tmp_path: Path) -> None:
    save(tmp_path / "dog/1.png")
    save(tmp_path / f"dog/2{ending}")
    with pytest.raises(InputError, match=rf"dog/2\{ending}: must hold {FORMATS[ending]}, .* got PNG: rename it"):
        ImageFolder(str(tmp_path), "photo").names("dog")
    (tmp_path / f"dog/2{ending}").write_text("<html>404</html>")
    with pytest.raises(InputError, match=rf"dog/2\{ending}: .*no image that Pillow reads"):
        ImageFolder(str(tmp_path), "photo").names("dog")


def test_a_usual_ending_over_another_format_is_read(tmp_path: Path) -> None:
    """Photos from the web are often PNG files that are called .jpg."""
    save(tmp_path / "dog/1.jpg", "PNG")
    photos = ImageFolder(str(tmp_path), "photo")
    assert photos.names("dog") == ["dog/1.jpg"]
    assert photos.read("dog/1.jpg", 8).shape == (3, 8, 8)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("2.heic", "1 with the ending .heic, such as {}/dog/2.heic"),
        ("2.SVG", "1 with the ending .svg, such as {}/dog/2.SVG"),
        ("2.jpg.part", "1 with the ending .part, such as {}/dog/2.jpg.part"),
        ("2", "1 without an ending, such as {}/dog/2"),
        ("images/2.jpg", r"1 in folders that are not named, such as {}/dog/images \(name that folder\)"),
        ("a/b/2.jpg", r"1 in folders that are not named, such as {}/dog/a/b "),
        ("../Dog/2.jpg", "1 in folders that are not named, such as {}/Dog "),
    ],
)
def test_what_is_left_out_is_named_once(name: str, reason: str, tmp_path: Path) -> None:
    save(tmp_path / "dog/1.jpg")
    save(tmp_path / "dog" / name)
    photos = ImageFolder(str(tmp_path), "photo")
    with warned() as texts:
        assert photos.names("dog") == photos.names("dog") == ["dog/1.jpg"]
    (text,) = texts
    assert re.search(rf"left out: {reason.format(re.escape(str(tmp_path)))}", text)
    assert "\n" not in text


def test_a_pipe_is_no_image_and_a_broken_link_is_an_image_that_cannot_be_read(tmp_path: Path) -> None:
    save(tmp_path / "dog/1.jpg")
    os.mkfifo(tmp_path / "dog/2.jpg")
    (tmp_path / "dog/3.jpg").symlink_to("1.jpg")
    (tmp_path / "dog/4.jpg").symlink_to("nowhere.jpg")
    photos = ImageFolder(str(tmp_path), "photo")
    with warned() as texts:
        assert photos.names("dog") == ["dog/1.jpg", "dog/3.jpg", "dog/4.jpg"]
    assert "1 neither a file nor a folder, such as" in texts[0]
    assert photos.read("dog/3.jpg", 8).shape == (3, 8, 8)
    with pytest.raises(InputError, match=r"dog/4\.jpg"):
        photos.read("dog/4.jpg", 8)


def test_files_of_the_system_are_not_worth_a_warning(tmp_path: Path) -> None:
    names = (".DS_Store", "._1.jpg", "Thumbs.db", "desktop.ini", "Icon\r", ".ipynb_checkpoints/1.jpg", "__MACOSX/1.jpg")
    for name in ("1.jpg", *names):
        save(tmp_path / "dog" / name)
    with warned() as texts:
        assert ImageFolder(str(tmp_path), "photo").names("dog") == ["dog/1.jpg"]
    assert not texts


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "got an empty folder"),
        ([".1.jpg", ".2.jpg"], "got 2 hidden or of the system, such as .*dog/.1.jpg"),
        (["1.heic", "2.heic", "3"], "got 2 with the ending .heic, such as .*1.heic; 1 without an ending, such as"),
        (["images/1.jpg", "images/2.jpg"], r"got 2 in folders .* such as .*dog/images \(name that folder\)"),
        (["../DOG/1.jpg"], r"got 1 in folders .* such as .*DOG \(name that folder\)"),
    ],
)
def test_a_class_folder_without_images_is_refused(names: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "dog").mkdir()
    for name in names:
        save(tmp_path / "dog" / name)
    with pytest.raises(InputError, match=rf"/dog: must hold images, which end in \.jpg, .*; {message}"):
        ImageFolder(str(tmp_path), "photo").names("dog")


def test_readers_made_of_readers_say_it_together(tmp_path: Path) -> None:
    layouts.sketchy(tmp_path, {"ant": ["n1"], "bee": ["n2"]})
    layouts.sketchy_extension(tmp_path, {"ant": ["n3"], "bee": ["n4"]})
    (tmp_path / "EXTEND_image_sketchy/ant/list.txt").write_text("")
    (tmp_path / "256x256/photo/tx_000000000000/bee/list.txt").write_text("")
    photos = SketchyExtended(str(tmp_path))
    with warned() as texts, photos.left_out.told_together():
        assert len(photos.names("ant") + photos.names("bee")) == 4
    (text,) = texts
    assert "left out: 2 with the ending .txt" in text


def test_two_spellings_of_a_class_in_extended_tuberlin(tmp_path: Path) -> None:
    layouts.tuberlin_photos(tmp_path, {"hotairballoon": 2, "hot_air_balloon": 3})
    with warned() as texts:
        assert len(TUBerlinPhotos(str(tmp_path)).names("hot air balloon")) == 2
    assert "3 in folders that are not named, such as" in texts[0]
    assert "hot_air_balloon" in texts[0]


def test_the_order_of_equal_numbers_is_fixed(tmp_path: Path) -> None:
    layouts.tuberlin(tmp_path, {"ant": 2})
    for name in ("02.png", "2.tif", "2.bmp"):
        save(tmp_path / "png/ant" / name, FORMATS[name[-4:]])
    expected = [f"ant/{name}" for name in ("1.png", "02.png", "2.bmp", "2.png", "2.tif")]
    assert TUBerlin(str(tmp_path)).names("ant") == expected


def test_an_empty_file_of_drawings(tmp_path: Path) -> None:
    layouts.quickdraw_strokes(tmp_path, {"cat": 0})
    (tmp_path / "simplified/cat.ndjson").write_text("")
    with pytest.raises(InputError, match=r"cat\.ndjson: must hold a drawing on each line, got an empty file"):
        QuickDrawStrokes(str(tmp_path)).names("cat")


def test_the_shipped_data_sets_leave_nothing_out() -> None:
    root = layouts.real_data()
    readers: list[ImageReader] = [ImageFolder(str(root / "cifar10/train"), "photo"), TUBerlin()]
    with warned() as texts:
        for reader in readers:
            for path in sorted(reader.path.iterdir()):
                assert not path.is_dir() or reader.names(path.name)
    assert not texts
