"""Image files as tensors, the same for every data set: `crossx.pixels` decodes and resizes them."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from crossx.pixels import fit
from crossx.pixels.decode import open_rgb
from crossx.pixels.pen import FINER, Pen
from crossx.types import Modality


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
    return torch.from_numpy(fit.fit_photo(image, size))


def fit_sketch(image: Image.Image, size: int, light: bool | None = None) -> Tensor:
    """Whole sketch as dark strokes on white, as uint8 RGB, (3, S, S); see `crossx.pixels.fit.fit_sketch`."""
    return torch.from_numpy(fit.fit_sketch(image, size, light))
