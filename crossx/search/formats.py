"""Formats of pictures that a search reads, and how large pictures of strangers may be."""

from PIL import Image

from crossx.core.errors import InputError

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
}
"""Formats by Pillow's names, and what they are called in an answer; others have had no hostile tests."""
PHOTOS = tuple(MEDIA_TYPES)
"""Formats of photos."""
DRAWINGS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
"""Formats of pictures of drawings."""
MOST_PIXELS = 24_000_000
"""Pixels of a stranger's picture."""
MOST_SVG_BYTES = 2**20
"""Bytes of a stranger's SVG."""


class TooLargeError(InputError):
    """A stranger's picture that is larger than it may be."""


def check_pixels(image: Image.Image) -> None:
    """Refuse a picture with too many pixels by its header, before they are decoded.

    Raises:
        TooLargeError: When it has more than `MOST_PIXELS`.
    """
    if image.width * image.height > MOST_PIXELS:
        raise TooLargeError(
            f"picture: must have at most {MOST_PIXELS // 10**6} million pixels, got {image.width} x {image.height}"
        )
