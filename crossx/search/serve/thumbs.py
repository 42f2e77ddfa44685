"""Small pictures of photos, made when somebody looks, and kept on disk up to a bound."""

import hashlib
import os
import threading
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from crossx.pixels.decode import DECODER_ERRORS, to_rgb, upright
from crossx.search.gallery.rows import Photo
from crossx.search.serve.files import NoPhotoError, open_below

SIZES = (160, 320, 640)
"""Longest sides in pixels."""
FORMATS = {
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
}
"""Formats of photos that are decoded, and what they are called in an answer."""
MOST_PIXELS = 64_000_000
"""Pixels of a photo in memory; a JPEG is decoded at a fraction of its size where that is enough."""
MOST_KEPT = 2 * 2**30
"""Bytes of small pictures on disk."""
_QUALITY = {"thumb": 82, "full": 92}


def thumbnail(photo: Photo, side: int) -> bytes:
    """A JPEG of a photo, upright, with a longest side of at most `side` pixels and without EXIF.

    Raises:
        NoPhotoError: When the file is not there any more or cannot be read.
    """
    with open_below(photo.root, photo.path) as file:
        return _jpeg(file, side, _QUALITY["thumb"])


def full(photo: Photo) -> bytes:
    """A JPEG of a whole photo, upright and without EXIF.

    Raises:
        NoPhotoError: When the file is not there any more or cannot be read.
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
            with Image.open(file, formats=list(FORMATS)) as image:
                kind = FORMATS[image.format or ""]
        except (*DECODER_ERRORS, KeyError) as error:
            raise NoPhotoError("no photo any more") from error
        file.seek(0)
        return file.read(), kind


def _jpeg(file: BinaryIO, side: int | None, quality: int) -> bytes:
    try:
        with Image.open(file, formats=list(FORMATS)) as image:
            if side is not None:
                image.draft("RGB", (2 * side, 2 * side))
            if image.width * image.height > MOST_PIXELS:
                raise NoPhotoError("too many pixels to be shown")
            picture = upright(image)
            if side is not None and picture.mode in ("L", "RGB", "RGBA"):
                picture.thumbnail((side, side))  # before the conversion, which takes memory
            picture = to_rgb(picture)
            if side is not None:
                picture.thumbnail((side, side))
    except DECODER_ERRORS as error:
        if isinstance(error, NoPhotoError):
            raise
        raise NoPhotoError("cannot be read as a photo any more") from error
    written = BytesIO()
    picture.save(written, "JPEG", quality=quality)
    return written.getvalue()


class Thumbs:
    """Thumbnails on disk; those that nobody has looked at for longest go first.

    Args:
        folder: Where they are kept; it may be emptied at any time.
        most: Bytes that are kept.
    """

    def __init__(self, folder: Path, most: int = MOST_KEPT) -> None:
        self.folder, self.most = folder, most
        self._lock = threading.Lock()
        self._bytes: int | None = None  # unknown until something is written

    def get(self, photo: Photo, side: int) -> bytes:
        """The thumbnail of a photo.

        Raises:
            NoPhotoError: When it must be made, and the file is not there any more or cannot be read.
        """
        place = self._place(photo, side)
        with suppress(OSError):
            kept = place.read_bytes()
            os.utime(place)
            return kept
        made = thumbnail(photo, side)
        with suppress(OSError):  # a full disk, or a folder that cannot be written: it is made again the next time
            self._keep(place, made)
        return made

    def _place(self, photo: Photo, side: int) -> Path:
        name = hashlib.sha256(photo.sha256 + f"/{side}/{photo.size}/{photo.mtime_ns}".encode()).hexdigest()
        return self.folder / name[:2] / f"{name[2:34]}.jpg"

    def _keep(self, place: Path, content: bytes) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_suffix(f".{threading.get_ident()}")
        temporary.write_bytes(content)
        temporary.replace(place)
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in self._kept())
            else:
                self._bytes += len(content)
            if self._bytes > self.most:
                self._forget()

    def _kept(self) -> list[tuple[float, int, Path]]:
        """Time of the last look, bytes and place of all thumbnails."""
        found = []
        for place in self.folder.glob("??/*"):
            with suppress(OSError):  # gone in the meantime
                about = place.stat()
                found.append((about.st_mtime, about.st_size, place))
        return found

    def _forget(self) -> None:
        """Remove the oldest until a tenth of the room is free."""
        kept = sorted(self._kept())
        left = sum(size for _, size, _ in kept)
        for _, size, place in kept:
            if left <= self.most * 0.9:
                break
            with suppress(OSError):
                place.unlink()
            left -= size
        self._bytes = left
