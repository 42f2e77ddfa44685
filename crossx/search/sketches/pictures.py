"""Pictures of drawings as sketches: dark lines on white, whatever paper, pen and light were.

A picture is cleaned to the lines that somebody drew: the ground is estimated and divided out, what differs from it is
ink, and the ink is cut out and put into the middle.
"""

import io
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from crossx.core.errors import InputError
from crossx.pixels.decode import DECODER_ERRORS, upright
from crossx.pixels.fit import U8, fit_sketch
from crossx.search.card import EncoderCard
from crossx.search.formats import DRAWINGS, check_pixels
from crossx.search.large import turn_of
from crossx.search.sketches.ink import Found, find_ink
from crossx.search.sketches.sketch import Sketch, fineness, finished

_LONGEST = 1024
"""Longest side in pixels in which ink is looked for."""
_MARGIN = 0.06
"""White border around the ink, as a share of its longer side."""
_SIDE = 256
"""Side in pixels of the cleaned drawing."""
_SMALL = 0.02
"""Share of a picture's area below which a drawing is very small."""
Array = npt.NDArray[np.float32]


class Decoded(NamedTuple):
    """A picture.

    Attributes:
        rgb: Colours in [0, 1], (H, W, 3), on white where the picture is transparent.
        alpha: Opacity in [0, 1], (H, W); None for an opaque picture.
    """

    rgb: Array
    alpha: Array | None


def sketch_from_picture(content: bytes, card: EncoderCard) -> Sketch:
    """Clean a picture of a drawing for the sketch encoder.

    Args:
        content: Bytes of a PNG, JPEG, WebP, BMP or GIF: a drawing of any colour on a ground of any colour, on
            transparency, or photographed.
        card: Card of the encoders.

    Raises:
        InputError: When the file cannot be read or is too large, nothing is drawn, or the picture is no drawing.
    """
    picture = decode(content)
    found = find_ink(picture.rgb, picture.alpha)
    cut = _cut(found)
    size = card.sketch.size * fineness(card)
    drawing = fit_sketch(Image.fromarray(cut), size, light=False)
    return finished(drawing[0], card, _warnings(found))


def decode(content: bytes) -> Decoded:
    """Decode a stranger's picture, upright and with at most 1,024 pixels a side.

    Args:
        content: The file's bytes.

    Raises:
        InputError: When the format is another one, the picture has too many pixels, or is damaged.
    """
    try:
        with Image.open(io.BytesIO(content), formats=DRAWINGS) as image:
            check_pixels(image)
            with turn_of(image):
                turned = upright(image)
                transparent = turned.has_transparency_data
                turned = turned.convert("RGBA" if transparent else "RGB")
    except InputError:
        raise
    except DECODER_ERRORS as error:
        raise InputError(
            f"picture: must be a PNG, JPEG, WebP, BMP or GIF that is whole, got {type(error).__name__}"
        ) from error
    factor = _LONGEST / max(turned.size)
    if factor < 1:
        turned = turned.resize([max(1, round(side * factor)) for side in turned.size], Image.Resampling.BOX)
    values: Array = np.asarray(turned, dtype=np.float32) / np.float32(255)
    if not transparent:
        return Decoded(values, None)
    alpha = values[..., 3]
    return Decoded(values[..., :3] * alpha[..., None] + (1 - alpha[..., None]), alpha)


def _cut(found: Found) -> U8:
    """The ink, dark on a white square."""
    rows, columns = np.nonzero(found.mask)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    ink = found.mask[top:bottom, left:right].astype(np.float32)
    side = max(ink.shape)
    margin = round(_MARGIN * side)
    whole = side + 2 * margin
    square = np.zeros((whole, whole), np.float32)
    y, x = (margin + (side - length) // 2 for length in ink.shape)
    square[y : y + ink.shape[0], x : x + ink.shape[1]] = ink
    shrink = cv2.INTER_AREA if whole > _SIDE else cv2.INTER_LINEAR
    small = cv2.resize(square, (_SIDE, _SIDE), interpolation=shrink)
    return np.asarray(255 * (1 - small)).round().clip(0, 255).astype(np.uint8)


def _warnings(found: Found) -> tuple[str, ...]:
    rows, columns = np.nonzero(found.mask)
    area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1) / found.mask.size
    return (*found.warnings, *(["very small drawing"] if area < _SMALL else []))
