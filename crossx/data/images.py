"""From an image file to uint8 RGB of one size, the same way for every data set.

Photos are centre-cropped, because their subject is in the middle; sketches are padded with white, because a cut-off
stroke changes the drawing, and their strokes are thickened before they are made smaller.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

from crossx.core.errors import InputError
from crossx.types import Modality

_DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow's decoders raise on a damaged or hostile file."""


def load_image(path: Path, modality: Modality, size: int) -> Tensor:
    """Read an image file as a square of one size.

    Args:
        path: Any format that Pillow reads.
        modality: Photos are cropped in colour, sketches padded in grey.
        size: Side of the result in pixels (S).

    Returns:
        uint8 RGB, (3, S, S); a sketch's one channel is repeated.

    Raises:
        InputError: When the file is missing, truncated, not an image, or beyond Pillow's decompression-bomb limit.
    """
    image = open_rgb(path)
    return fit_photo(image, size) if modality == "photo" else fit_sketch(image, size)


def open_rgb(path: Path) -> Image.Image:
    """Decode an image file to 8-bit RGB: turned upright by its EXIF tag, transparency composed on white.

    Raises:
        InputError: When the file is missing, truncated, not an image, or beyond Pillow's decompression-bomb limit.
    """
    try:
        with Image.open(path) as image:
            return _to_rgb(ImageOps.exif_transpose(image))
    except _DECODER_ERRORS as error:
        raise InputError(f"{path}: cannot be read as an image ({type(error).__name__}: {error})") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode to RGB without losing what is visible."""
    if image.mode.startswith("I"):  # Pillow clips 16-bit grey at 255 instead of scaling it
        wide = np.asarray(image).astype(np.float64).clip(0, 65535)
        image = Image.fromarray((wide / 257).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def fit_photo(image: Image.Image, size: int) -> Tensor:
    """The central square of a photo, resized with an antialias filter: uint8 RGB, (3, S, S)."""
    square = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()


def fit_sketch(image: Image.Image, size: int) -> Tensor:
    """A sketch of dark strokes on white, whole and centred on a white square: uint8 RGB, (3, S, S).

    A stroke thinner than the scale factor would fade to light grey. So each pixel first becomes the darkest one in a
    window about as wide as the factor, so that every stroke covers about one pixel of the result. Below a factor of two
    nothing is thickened.

    Args:
        image: The drawing, in any mode and aspect.
        size: Side of the result in pixels (S).
    """
    grey = np.asarray(image.convert("L"))
    factor = max(grey.shape) / size
    thick = Image.fromarray(_darkest_around(grey, reach=int(factor / 2)))
    width, height = (max(1, round(side / factor)) for side in thick.size)
    # Hamming's filter is as sharp as averaging areas when it shrinks, and smooth when it enlarges.
    small = thick.resize((width, height), Image.Resampling.HAMMING)
    square = Image.new("L", (size, size), 255)
    square.paste(small, ((size - width) // 2, (size - height) // 2))
    return repeat_grey(np.asarray(square))


def repeat_grey(grey: npt.NDArray[np.uint8]) -> Tensor:
    """One channel, (S, S), as three equal ones, (3, S, S)."""
    return torch.from_numpy(grey.copy()).expand(3, -1, -1).contiguous()


def _darkest_around(grey: npt.NDArray[np.uint8], reach: int) -> npt.NDArray[np.uint8]:
    """Minimum over the square window of 2 * reach + 1 pixels around each pixel.

    The window grows by doubling, first over rows, then over columns: Pillow's MinFilter takes the square of the
    window's width per pixel, seconds for a TU-Berlin original.
    """
    for _ in range(2):
        edge = min(reach, len(grey) - 1)  # a wider window sees no more, and takes memory
        rows = np.pad(grey, ((edge, edge), (0, 0)), constant_values=255)
        span, window = 1, 2 * edge + 1
        while span < window:
            step = min(span, window - span)
            rows = np.minimum(rows[: len(rows) - step], rows[step:])
            span += step
        grey = rows.T
    return np.ascontiguousarray(grey)
