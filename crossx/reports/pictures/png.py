"""Writing pictures."""

from pathlib import Path

from PIL import Image

from crossx.core.atomic import atomic_path

_COMPRESSION = 1
"""A quarter to a half of the time of Pillow's usual 6, for files a tenth to a third larger: a validation waits."""


def save_png(picture: Image.Image, path: Path) -> None:
    """Write a picture as PNG, atomically."""
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG", compress_level=_COMPRESSION)
