"""Decoding and resizing of image files, the same for every data set.

Photos are cropped to the central square, because their subject is in the middle. Sketches are padded with white,
because a stroke that is cut off changes the drawing, and their strokes are thickened before they are shrunk.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from crossx.core.errors import InputError
from crossx.data.pen import FINER, Pen
from crossx.types import Modality

_DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
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


def load_image(path: Path, modality: Modality, size: int, pen: Pen | None = None) -> Tensor:
    """Read an image file as a square of one size, as every encoder and teacher of crossx expects it.

    Divided by 255, the result is one image of the batches that networks get, (B, 3, S, S) in [0, 1]. Other ways of
    resizing give other embeddings, above all for sketches.

    Args:
        path: Image file in any format that Pillow reads.
        modality: A photo is cropped and keeps its colours; a sketch is padded and becomes grey.
        size: Side S of the result in pixels.
        pen: Pen of the sketch teacher, with which a sketch is redrawn; see `TeacherCard.pen`.

    Returns:
        uint8 RGB, (3, S, S); a sketch has three equal channels.

    Raises:
        InputError: When the file is missing, truncated, not an image, or beyond Pillow's decompression-bomb limit.
    """
    image = open_rgb(path)
    return fit_photo(image, size) if modality == "photo" else draw_sketch(image, size, pen)


def open_rgb(path: Path) -> Image.Image:
    """Decode an image file to 8-bit RGB: rotated by its EXIF tag, transparency composed on white.

    Of an animation, or of a file of several pages, it is the first.

    Raises:
        InputError: When the file is missing, truncated, not an image, or beyond Pillow's decompression-bomb limit.
    """
    try:
        with Image.open(path) as image:
            return _to_rgb(_upright(image))
    except _DECODER_ERRORS as error:
        raise InputError(f"{path}: cannot be read as an image ({type(error).__name__}: {error})") from error


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
    except _DECODER_ERRORS:
        pass
    try:
        with Image.open(path) as image:
            found = f"{image.format}: rename it, or convert it"
    except _DECODER_ERRORS as error:
        found = f"no image that Pillow reads ({error})"
    raise InputError(f"{path}: must hold {wanted}, as its ending says, got {found}")


def _upright(image: Image.Image) -> Image.Image:
    """Rotate an image by its EXIF orientation; one without a readable orientation stays as it is.

    `ImageOps.exif_transpose` writes the rest of the block anew, which fails where any of it is damaged.
    """
    image.load()  # before the block is read: what fails here is the image
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # a damaged block fails in any way inside its parser, and says nothing of the image
        return image
    method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
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


def draw_sketch(image: Image.Image, size: int, pen: Pen | None = None, light: bool | None = None) -> Tensor:
    """Whole sketch on a square of one size, redrawn with a pen if there is one that redraws.

    Args:
        image: The drawing, in any mode and aspect.
        size: Side S of the result in pixels.
        pen: Pen of the classifier or encoder that gets the sketch.
        light: Whether the drawing has light strokes on black; None asks `is_white_on_black`.

    Returns:
        uint8 RGB with three equal channels, (3, S, S).
    """
    if pen is None or not pen.redraws:
        return fit_sketch(image, size, light)
    return pen.redraw(fit_sketch(image, FINER * size, light))


def fit_photo(image: Image.Image, size: int) -> Tensor:
    """Central square of a photo, resized with antialiasing, as uint8 RGB, (3, S, S)."""
    square = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()


def fit_sketch(image: Image.Image, size: int, light: bool | None = None) -> Tensor:
    """Whole sketch as dark strokes on white, centred on a white square, as uint8 RGB, (3, S, S).

    A drawing of light strokes on black is inverted first; see `is_white_on_black`.

    Shrinking by a factor makes strokes that are thinner than the factor light grey. Each pixel is therefore first
    replaced by the darkest pixel in a window about as wide as the factor, so that every stroke covers about one pixel
    of the result. Below a factor of two nothing is thickened.

    Args:
        image: The drawing, in any mode and aspect.
        size: Side S of the result in pixels.
        light: As in `draw_sketch`.
    """
    grey = np.asarray(image.convert("L"))
    if is_white_on_black(grey) if light is None else light:
        grey = 255 - grey
    factor = max(grey.shape) / size
    thick = Image.fromarray(_darkest_around(grey, reach=int(factor / 2)))
    width, height = (max(1, round(side / factor)) for side in thick.size)
    # The Hamming filter is as sharp as area averaging when it shrinks, and smooth when it enlarges.
    small = thick.resize((width, height), Image.Resampling.HAMMING)
    square = Image.new("L", (size, size), 255)
    square.paste(small, ((size - width) // 2, (size - height) // 2))
    return repeat_grey(np.asarray(square))


def is_white_on_black(grey: npt.NDArray[np.uint8]) -> bool:
    """Whether a drawing has light strokes on a dark ground.

    Its border is dark, because that is where a drawing shows its ground. More of its pixels are dark than light,
    because a drawing on white may have a dark frame. Some pixels are light, because a sheet without strokes has no
    ground to tell.

    Args:
        grey: The drawing, (H, W).
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    dark, light = grey < 64, grey >= 192
    return bool((border < 64).mean() > 0.6 and dark.mean() > light.mean() and grey.max() >= 128)


def repeat_grey(grey: npt.NDArray[np.uint8]) -> Tensor:
    """Repeat one channel, (S, S), as three equal channels, (3, S, S)."""
    return torch.from_numpy(grey.copy()).expand(3, -1, -1).contiguous()


def _darkest_around(grey: npt.NDArray[np.uint8], reach: int) -> npt.NDArray[np.uint8]:
    """Minimum over the square window of 2 * reach + 1 pixels around each pixel.

    The window grows by doubling, first over rows, then over columns: the time of Pillow's MinFilter
    grows with the square of the window's width: seconds for an original sketch of TU-Berlin.
    """
    for _ in range(2):
        edge = min(reach, len(grey) - 1)  # a wider window covers nothing more and takes memory
        rows = np.pad(grey, ((edge, edge), (0, 0)), constant_values=255)
        span, window = 1, 2 * edge + 1
        while span < window:
            step = min(span, window - span)
            rows = np.minimum(rows[: len(rows) - step], rows[step:])
            span += step
        grey = rows.T
    return np.ascontiguousarray(grey)
