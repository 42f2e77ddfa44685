"""Pictures of photos for people: upright, without EXIF, and never too large for the memory."""

import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from support.photo_folders import photo

from crossx.search.photo_files import NoPhotoError
from crossx.search.photo_pictures import full, original, thumbnail


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


def test_transparency_of_too_many_pixels_is_small_but_never_whole(tmp_path: Path) -> None:
    """Made small it takes two arrays; whole it would take five of 0.1 GB for each 24 million pixels."""
    Image.new("RGBA", (6000, 4100)).save(tmp_path / "large.png", compress_level=1)
    large = photo(tmp_path / "large.png")
    assert opened(thumbnail(large, 160)).size == (160, 109)
    with pytest.raises(NoPhotoError, match="too many pixels"):
        full(large)


@pytest.mark.parametrize(("size", "shown"), [((6000, 4000), (6000, 4000)), ((6000, 4100), (3000, 2050))])
def test_a_larger_jpeg_is_shown_at_half_its_sides(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    Image.new("L", size).save(tmp_path / "camera.jpg")
    assert opened(full(photo(tmp_path / "camera.jpg"))).size == shown
