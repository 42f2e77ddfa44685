"""What the encoder saw of a query, as a picture for the user."""

import base64
import io

import numpy as np
from PIL import Image

from crossx.pixels.fit import U8

SEEN = 128
"""Side in pixels of the picture; least side for a sketch, whose pixels stay squares."""


def sketch_png(grey: U8) -> bytes:
    """A sketch that the encoder sees, (S, S), as a PNG of at least `SEEN` pixels."""
    picture = Image.fromarray(np.ascontiguousarray(grey))
    side = -(-SEEN // picture.width) * picture.width
    return _png(picture.resize((side, side), Image.Resampling.NEAREST))


def photo_png(pixels: U8) -> bytes:
    """A photo that the encoder sees, RGB (3, S, S), as a PNG of `SEEN` pixels."""
    picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    return _png(picture.resize((SEEN, SEEN), Image.Resampling.BICUBIC))


def data_address(content: bytes, kind: str) -> str:
    """A picture as an address that holds it, for pages and JSON; its kind is such as `png`."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
