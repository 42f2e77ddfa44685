"""Photos of a gallery as pictures for people: small ones, whole ones, and the files themselves."""

from io import BytesIO
from typing import BinaryIO

from PIL import Image

from crossx.pixels.decode import DECODER_ERRORS, to_rgb, upright
from crossx.search.formats import MEDIA_TYPES, PHOTOS
from crossx.search.gallery.rows import Photo
from crossx.search.large import turn_of
from crossx.search.photo_files import NoPhotoError, open_below

MOST_WHOLE = 24_000_000
"""Pixels that are converted as they are: arrays of 0.1 GB in memory, of which transparency takes five at once."""
MOST_SHRUNK = 64_000_000
"""Pixels of a photo that is made small before anything else is done with it."""
_SHRINKABLE = ("L", "RGB", "RGBA")
"""Modes that Pillow makes small as they are."""
_QUALITY = {"thumb": 82, "full": 92}


def thumbnail(photo: Photo, side: int) -> bytes:
    """A JPEG of a photo, upright, with a longest side of at most `side` pixels and without EXIF.

    Raises:
        NoPhotoError: When the file is not there any more or cannot be read.
    """
    with open_below(photo.root, photo.path) as file:
        return _jpeg(file, side, _QUALITY["thumb"])


def full(photo: Photo) -> bytes:
    """A JPEG of a whole photo, upright and without EXIF; a JPEG above `MOST_WHOLE` at a half or a quarter of its sides.

    Raises:
        NoPhotoError: When the file is not there any more, cannot be read, or has too many pixels.
    """
    with open_below(photo.root, photo.path) as file:
        return _jpeg(file, None, _QUALITY["full"])


def original(photo: Photo) -> tuple[bytes, str]:
    """The bytes of a photo's file, and their type as the decoder sees it.

    Raises:
        NoPhotoError: When the file is not there any more or is no photo.
    """
    with open_below(photo.root, photo.path) as file:
        try:
            with Image.open(file, formats=PHOTOS) as image:
                kind = MEDIA_TYPES[image.format or ""]
        except (*DECODER_ERRORS, KeyError) as error:
            raise NoPhotoError("no photo any more") from error
        file.seek(0)
        return file.read(), kind


def _jpeg(file: BinaryIO, side: int | None, quality: int) -> bytes:
    try:
        with Image.open(file, formats=PHOTOS) as image:
            image.draft("RGB", _least(image) if side is None else (2 * side, 2 * side))
            shrinks = side is not None and image.mode in _SHRINKABLE
            if image.width * image.height > (MOST_SHRUNK if shrinks else MOST_WHOLE):
                raise NoPhotoError("too many pixels to be shown")
            with turn_of(image):
                picture = _shown(image, side)
    except DECODER_ERRORS as error:
        if isinstance(error, NoPhotoError):
            raise
        raise NoPhotoError("cannot be read as a photo any more") from error
    written = BytesIO()
    picture.save(written, "JPEG", quality=quality)
    return written.getvalue()


def _least(image: Image.Image) -> tuple[int, int]:
    """Sides of the largest decoded JPEG that is no larger than `MOST_WHOLE`, of those that a decoder offers."""
    factor = 1
    while factor < 8 and image.width * image.height > MOST_WHOLE * factor**2:
        factor *= 2
    return image.width // factor, image.height // factor


def _shown(image: Image.Image, side: int | None) -> Image.Image:
    picture = upright(image)
    if side is None:
        return to_rgb(picture)
    if picture.mode in _SHRINKABLE:
        picture.thumbnail((side, side))  # before the conversion, which takes memory
    picture = to_rgb(picture)
    picture.thumbnail((side, side))
    return picture
