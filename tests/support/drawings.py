"""Drawings of shapes as a page sends them."""

from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageDraw

from crossx.data.shapes.dataset import ShapesDataset


@lru_cache
def drawing(name: str, number: int = 0) -> list[list[list[float]]]:
    """Strokes of a test sketch, in 256ths of its side."""
    data = ShapesDataset(train=0, validation=0, test=10)
    strokes = data.strokes("test", data.classes.index(name) * 10 + number)
    return [(stroke.T * 256).round(1).tolist() for stroke in strokes]


def as_png(strokes: list[list[list[float]]]) -> bytes:
    """The same drawing as a picture."""
    image = Image.new("L", (300, 300), 255)
    for x, y in strokes:
        ImageDraw.Draw(image).line([(a + 20, b + 20) for a, b in zip(x, y, strict=True)], fill=0, width=5)
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
