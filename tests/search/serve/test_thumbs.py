"""Small pictures of photos: upright, without EXIF, kept up to a bound."""

import hashlib
import os
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crossx.search.gallery.rows import Photo
from crossx.search.serve.files import NoPhotoError
from crossx.search.serve.thumbs import Thumbs, full, original, thumbnail


def photo(path: Path) -> Photo:
    content, about = path.read_bytes(), path.stat()
    sha = hashlib.sha256(content).digest()
    vector = np.array([1, 0], np.float32)
    return Photo(str(path.parent), path.name, about.st_size, about.st_mtime_ns, sha, 1, 1, vector, 1)


def opened(jpeg: bytes) -> Image.Image:
    return Image.open(BytesIO(jpeg), formats=["JPEG"])


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """Left half red, right half blue, to be shown turned by 90 degrees: red on top."""
    image = Image.new("RGB", (400, 200), "blue")
    image.paste("red", (0, 0, 200, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "taken at home"
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    return tmp_path / "turned.jpg"


def test_a_thumbnail_is_upright_small_and_says_nothing_else(turned: Path) -> None:
    made = thumbnail(photo(turned), 160)
    small = opened(made)
    assert small.size == (80, 160)
    assert small.convert("RGB").getpixel((40, 10))[0] > 200  # type: ignore[index]
    assert not small.getexif()
    assert b"taken at home" not in made


def test_the_full_picture_has_all_pixels_and_no_exif(turned: Path) -> None:
    made = full(photo(turned))
    assert opened(made).size == (200, 400)
    assert b"taken at home" not in made


def test_the_original_is_the_file_with_the_type_of_its_content(turned: Path, tmp_path: Path) -> None:
    assert original(photo(turned)) == (turned.read_bytes(), "image/jpeg")
    Image.new("RGB", (4, 4)).save(tmp_path / "png_inside.jpg", "PNG")
    assert original(photo(tmp_path / "png_inside.jpg"))[1] == "image/png"
    (tmp_path / "page.jpg").write_text("<svg onload='alert(1)'/>")
    with pytest.raises(NoPhotoError):
        original(photo(tmp_path / "page.jpg"))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_a_jpeg(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new(mode, (300, 100)).save(path)
    assert opened(thumbnail(photo(path), 160)).size == (160, 53)


def test_what_is_gone_or_no_photo_is_refused(turned: Path) -> None:
    gone = photo(turned)
    turned.write_bytes(turned.read_bytes()[:300])
    with pytest.raises(NoPhotoError):
        thumbnail(gone, 160)
    turned.unlink()
    with pytest.raises(NoPhotoError):
        thumbnail(gone, 160)


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "bomb.png")
    bomb = photo(tmp_path / "bomb.png")
    start = time.process_time()
    for make in (full, lambda photo: thumbnail(photo, 320)):
        with pytest.raises(NoPhotoError, match="too many pixels"):
            make(bomb)
    assert time.process_time() - start < 0.5


def test_thumbnails_are_kept_and_the_oldest_go(tmp_path: Path) -> None:
    paths = []
    for i in range(6):
        path = tmp_path / f"{i}.png"
        Image.effect_noise((160, 160), 60 + i).save(path)
        paths.append(photo(path))
    size = len(thumbnail(paths[0], 160))
    thumbs = Thumbs(tmp_path / "thumbs", most=int(size * 4.5))
    for i, one in enumerate(paths):
        thumbs.get(one, 160)
        if i == 3:
            for n, kept in enumerate(sorted((tmp_path / "thumbs").glob("??/*"))):
                os.utime(kept, (n + 1, n + 1))
            thumbs.get(paths[0], 160)  # looked at again
    left = list((tmp_path / "thumbs").glob("??/*"))
    assert sum(file.stat().st_size for file in left) <= size * 4.5
    assert thumbs._place(paths[0], 160) in left
    assert thumbs._place(paths[-1], 160) in left


def test_a_kept_thumbnail_needs_no_file_and_a_changed_file_has_another(turned: Path, tmp_path: Path) -> None:
    thumbs, first = Thumbs(tmp_path / "thumbs"), photo(turned)
    made = thumbs.get(first, 160)
    Image.new("RGB", (50, 50), "green").save(turned)
    assert thumbs.get(photo(turned), 160) != made
    turned.unlink()
    assert thumbs.get(first, 160) == made


def test_a_folder_that_cannot_be_written_costs_time_alone(turned: Path, tmp_path: Path) -> None:
    (tmp_path / "thumbs").write_text("a file where the folder should be")
    assert Thumbs(tmp_path / "thumbs").get(photo(turned), 160) == thumbnail(photo(turned), 160)
