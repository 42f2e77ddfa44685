"""Small pictures of photos, made when somebody looks, and kept on disk up to a bound."""

import hashlib
import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path

from crossx.search.gallery.rows import Photo
from crossx.search.photo_pictures import thumbnail

SIZES = (160, 320, 640)
"""Longest sides in pixels."""
MOST_KEPT = 2 * 2**30
"""Bytes of small pictures on disk."""


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
        # A name of its own: other threads, and other servers of this gallery, may write the same picture.
        temporary = place.with_suffix(f".{secrets.token_hex(8)}")
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
