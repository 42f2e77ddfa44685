"""Decoding of image files to 8-bit RGB, the same for every data set and every search."""

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image

from crossx.core.errors import InputError

DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
"""Exceptions of Pillow's decoders on a damaged or hostile file."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientation in EXIF -> what makes the image upright; every other value means that it is."""
_TURNS = [_UPRIGHT[orientation] for orientation in (5, 6, 7, 8)]
"""Of these, what exchanges width and height."""


def open_rgb(source: Path | BinaryIO, formats: tuple[str, ...] | None = None) -> Image.Image:
    """Decode an image file to 8-bit RGB: rotated by its EXIF tag, transparency composed on white.

    Of an animation, or of a file of several pages, it is the first.

    Args:
        source: An image file, or an open one.
        formats: Formats that are read, by Pillow's names; None for all that Pillow reads.

    Raises:
        InputError: When the file is missing, truncated, not an image, or beyond Pillow's decompression-bomb limit.
    """
    try:
        with Image.open(source, formats=formats) as image:
            return to_rgb(upright(image))
    except DECODER_ERRORS as error:
        name = source if isinstance(source, Path) else "image"
        raise InputError(f"{name}: cannot be read as an image ({type(error).__name__}: {error})") from error


def check_format(path: Path, wanted: str) -> None:
    """Refuse an image file that holds another format than its ending says; decodes nothing.

    Args:
        path: Image file.
        wanted: Format that the ending means, by Pillow's name.

    Raises:
        InputError: When the file is missing, or Pillow does not recognise that format in it.
    """
    try:
        with Image.open(path, formats=[wanted]):
            return
    except DECODER_ERRORS:
        pass
    try:
        with Image.open(path) as image:
            found = f"{image.format}: rename it, or convert it"
    except DECODER_ERRORS as error:
        found = f"no image that Pillow reads ({error})"
    raise InputError(f"{path}: must hold {wanted}, as its ending says, got {found}")


def upright(image: Image.Image) -> Image.Image:
    """Rotate an image by its EXIF orientation; one without a readable orientation stays as it is.

    `ImageOps.exif_transpose` writes the rest of the block anew, which fails where any of it is damaged.
    """
    image.load()  # before the block is read: what fails here is the image
    method = _to_upright(image)
    return image if method is None else image.transpose(method)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an image when it is upright; where the format allows, from its header alone."""
    if image.format == "TIFF":  # Pillow turns it when it is decoded, and forgets then that it did
        image.load()
    width, height = image.size
    turned = _to_upright(image) in _TURNS
    return (height, width) if turned else (width, height)


def _to_upright(image: Image.Image) -> Image.Transpose | None:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # a damaged block fails in any way inside its parser, and says nothing of the image
        return None
    return _UPRIGHT.get(orientation) if isinstance(orientation, int) else None


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any Pillow mode to RGB without losing visible content."""
    if image.mode == "F":  # some files have numbers in [0, 1], others in [0, 255], and none says so
        raise ValueError("its pixels are floating-point numbers; save it with 8 or 16 bits a channel")
    if image.mode.startswith("I"):  # Pillow clips 16-bit grey at 255 instead of scaling it
        wide = np.asarray(image).astype(np.float64).clip(0, 65535)
        image = Image.fromarray((wide / 257).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
