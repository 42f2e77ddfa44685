import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageFilter, ImageOps

from crossx.core.errors import InputError
from crossx.data.images import fit_photo, fit_sketch, load_image
from crossx.pixels.decode import open_rgb, upright_size


def saved(tmp_path: Path, image: Image.Image, name: str, **options: Any) -> Path:  # noqa: ANN401 - what the format takes
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_load_image_of_both_modalities(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (40, 20), (255, 0, 0)), "red.png")
    photo, sketch = load_image(path, "photo", 8), load_image(path, "sketch", 8)
    assert photo.shape == sketch.shape == (3, 8, 8)
    assert photo.dtype == sketch.dtype == torch.uint8
    assert photo.is_contiguous()
    assert (photo == torch.tensor([255, 0, 0]).view(3, 1, 1)).all()  # cropped: red all over
    assert torch.equal(sketch[0], sketch[1])
    assert torch.equal(sketch[0], sketch[2])
    assert (sketch[:, 0] == 255).all()  # padded: white above and below
    assert (sketch[:, 4] < 100).all()


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 2), "black")
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise
    upright = open_rgb(saved(tmp_path, image, "turned.png", exif=exif))
    assert upright.size == (2, 4)
    assert upright.getpixel((1, 0)) == (255, 255, 255)


def test_transparency_is_composed_on_white(tmp_path: Path) -> None:
    rgba = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    rgba.putpixel((1, 0), (200, 0, 0, 255))
    grey = Image.new("LA", (2, 1), (0, 0))
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([0, 0, 0, 200, 0, 0])
    palette.putpixel((1, 0), 1)
    for path in (
        saved(tmp_path, rgba, "rgba.png"),
        saved(tmp_path, grey, "la.png"),
        saved(tmp_path, palette, "palette.png", transparency=0),
    ):
        assert open_rgb(path).getpixel((0, 0)) == (255, 255, 255), path
    assert open_rgb(tmp_path / "palette.png").getpixel((1, 0)) == (200, 0, 0)


def test_modes_become_rgb(tmp_path: Path) -> None:
    wide = saved(tmp_path, Image.fromarray(np.array([[0, 32896, 65535]], dtype=np.uint16)), "grey16.png")
    assert [open_rgb(wide).getpixel((x, 0)) for x in range(3)] == [(0,) * 3, (128,) * 3, (255,) * 3]
    cmyk = open_rgb(saved(tmp_path, Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "cmyk.jpg"))
    red, green, blue = np.asarray(cmyk)[4, 4].tolist()
    assert red > 200
    assert max(green, blue) < 60
    assert open_rgb(saved(tmp_path, Image.new("1", (1, 1), 1), "bits.png")).getpixel((0, 0)) == (255, 255, 255)


def damaged() -> dict[str, bytes]:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    whole: dict[str, bytes] = {}
    for kind in ("JPEG", "PNG"):
        buffer = io.BytesIO()
        noise.save(buffer, kind)
        whole[kind] = buffer.getvalue()
    return {
        "truncated.jpg": whole["JPEG"][: len(whole["JPEG"]) // 2],
        "truncated.png": whole["PNG"][: len(whole["PNG"]) // 2],
        "flipped.png": whole["PNG"][:20] + b"\xff\xff" + whole["PNG"][22:],
        "empty.png": b"",
        "text.jpg": b"<html>404 Not Found</html>",
    }


@pytest.mark.parametrize("name", damaged())
def test_damaged_image_is_an_error_that_names_the_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(damaged()[name])
    with pytest.raises(InputError, match=name):
        open_rgb(tmp_path / name)


def test_missing_image_and_decompression_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"gone\.png"):
        open_rgb(tmp_path / "gone.png")
    path = saved(tmp_path, Image.new("L", (100, 100)), "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InputError, match=r"bomb\.png.*DecompressionBomb"):
        open_rgb(path)


def test_photo_is_the_central_square() -> None:
    image = Image.new("RGB", (60, 20), "black")
    image.paste((255, 255, 255), (20, 0, 40, 20))
    assert (fit_photo(image, 20) == 255).all()
    assert fit_photo(Image.new("RGB", (1, 1), (1, 2, 3)), 4).tolist() == [[[c] * 4] * 4 for c in (1, 2, 3)]


def test_photo_of_the_wanted_size_is_untouched() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(fit_photo(Image.fromarray(pixels), 8).permute(1, 2, 0).numpy(), pixels)


def line(side: int, width: int) -> Image.Image:
    pixels = np.full((side, side), 255, dtype=np.uint8)
    pixels[side // 4 : 3 * side // 4, side // 2 : side // 2 + width] = 0
    return Image.fromarray(pixels)


@pytest.mark.parametrize(("side", "width"), [(1111, 5), (256, 1), (128, 1), (64, 1), (32, 1)])
def test_thin_strokes_survive_at_every_scale(side: int, width: int) -> None:
    small = fit_sketch(line(side, width), 32)[0].float()
    ink = (255 - small[16]).sum() / 255  # the line's width in pixels, weighted by its blackness
    assert 0.7 < ink < 1.8
    assert small[16].min() < 130
    assert small[2].min() == 255


def test_sketch_of_the_wanted_size_is_untouched() -> None:
    image = line(32, 1)
    assert np.array_equal(fit_sketch(image, 32)[1].numpy(), np.asarray(image))


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_thickening_equals_pillows_minimum_filter(factor: int) -> None:
    pixels = np.random.default_rng(factor).integers(0, 256, (16 * factor, 16 * factor), dtype=np.uint8)
    thick = Image.fromarray(np.pad(pixels, factor, constant_values=255)).filter(
        ImageFilter.MinFilter(2 * (factor // 2) + 1)
    )
    inner = thick.crop((factor, factor, 17 * factor, 17 * factor))
    expected = np.asarray(inner.resize((16, 16), Image.Resampling.HAMMING))
    assert np.array_equal(fit_sketch(Image.fromarray(pixels), 16)[0].numpy(), expected)


def test_extreme_aspect_needs_no_huge_square() -> None:
    long = fit_sketch(Image.new("L", (100_000, 1), 0), 16)
    assert long.shape == (3, 16, 16)
    assert (long[0] < 255).any(dim=1).sum() == 1


def photo_with_exif(block: bytes) -> Image.Image:
    """As Pillow opens a file of 16 x 8 pixels, green on the left, with this block."""
    image = Image.new("RGB", (16, 8), (200, 10, 10))
    image.paste((10, 200, 10), (0, 0, 8, 8))
    image.info["exif"] = block
    return image


def exif_block(orientation: int = 6) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.XResolution] = 72.0
    exif.get_ifd(ExifTags.IFD.GPSInfo)[2] = (1.0, 2.0, 3.0)
    return exif.tobytes()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.filterwarnings("ignore")  # of Pillow, about the damage
def test_an_image_is_read_whatever_its_exif_block_holds(suffix: str, tmp_path: Path) -> None:
    whole, rng = exif_block(), np.random.default_rng(0)
    blocks = [b"", b"Exif\0\0", b"garbage", whole[:20], exif_block(0), exif_block(9)]
    for _ in range(150):
        block = np.frombuffer(whole, np.uint8).copy()
        block[rng.integers(6, len(block), 5)] = rng.integers(0, 256, 5)
        blocks.append(block.tobytes()[: rng.integers(8, len(block) + 1)])
    sizes = set()
    for content in blocks:
        photo_with_exif(content).save(tmp_path / f"x.{suffix}", exif=content)
        sizes.add(open_rgb(tmp_path / f"x.{suffix}").size)
    assert sizes == {(16, 8), (8, 16)}  # some orientations survive, and are followed


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_becomes_upright(orientation: int, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"x.{suffix}"
    photo_with_exif(b"").save(path, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(np.asarray(open_rgb(path)), expected)
    with Image.open(path) as image:
        assert upright_size(image) == (expected.shape[1], expected.shape[0])


def test_the_size_of_a_photo_needs_no_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo_with_exif(b"").save(tmp_path / "x.jpg", exif=exif)
    whole = (tmp_path / "x.jpg").read_bytes()
    (tmp_path / "x.jpg").write_bytes(whole[: whole.index(b"\xff\xda") + 14])  # to where the pixels begin
    with Image.open(tmp_path / "x.jpg") as image:
        assert upright_size(image) == (8, 16)


def test_a_rotated_photo_with_a_damaged_block_is_rotated(tmp_path: Path) -> None:
    block = exif_block().replace(b"Maker", b"\xff\xfe\xff\xff\xff")
    photo_with_exif(block).save(tmp_path / "x.jpg", exif=block)
    assert open_rgb(tmp_path / "x.jpg").size == (8, 16)


@pytest.mark.parametrize("suffix", ["gif", "tif", "webp", "png"])
def test_the_first_frame_is_read(suffix: str, tmp_path: Path) -> None:
    first, second = Image.new("RGB", (4, 4), (0, 0, 250)), Image.new("RGB", (4, 4), (250, 0, 0))
    path = saved(tmp_path, first, f"x.{suffix}", save_all=True, append_images=[second])
    red, _, blue = np.asarray(open_rgb(path))[0, 0].tolist()
    assert blue > 200 > 50 > red


def test_pixels_without_a_scale_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(np.full((4, 4), 0.5, np.float32)), "x.tif")
    with pytest.raises(InputError, match=r"x\.tif: .*floating-point numbers; save it with 8 or 16 bits"):
        open_rgb(path)
