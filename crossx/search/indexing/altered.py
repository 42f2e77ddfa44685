"""Files whose content has changed though their size and time have not: restored, damaged or set back."""

import hashlib
import os
from collections.abc import Sequence

from crossx.search.gallery.protocol import Gallery
from crossx.search.indexing.run import TOGETHER
from crossx.search.indexing.scan import Found


def altered(gallery: Gallery, files: Sequence[Found]) -> list[Found]:
    """Files whose content is not the one that the gallery knows; each is read.

    Args:
        gallery: The gallery.
        files: Files that the gallery has with their size and time. Those that were skipped are left out.
    """
    found = []
    for start in range(0, len(files), TOGETHER):
        part = files[start : start + TOGETHER]
        known = gallery.state([file.key for file in part])
        for file in part:
            number = known[file.key].id if file.key in known else None
            if number is not None and gallery.photo(number).sha256 != _digest(file):
                found.append(file)
    return found


def _digest(file: Found) -> bytes:
    """SHA-256 of a file; empty for one that cannot be read, whose reason the decoder tells."""
    try:
        with open(os.path.join(*file.key), "rb") as opened:
            return hashlib.file_digest(opened, "sha256").digest()
    except OSError:
        return b""
