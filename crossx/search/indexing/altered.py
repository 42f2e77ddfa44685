"""Files whose content has changed though their size and time have not: restored, damaged or set back."""

import hashlib
import os
from collections.abc import Sequence

from crossx.search.gallery.protocol import Gallery
from crossx.search.indexing.progress import Progress
from crossx.search.indexing.run import TOGETHER
from crossx.search.indexing.scan import Found


def altered(gallery: Gallery, files: Sequence[Found], progress: Progress) -> list[Found]:
    """Files whose content is not the one that the gallery knows, and those that were skipped; each is read.

    A file that cannot be read at the moment is left as it is: its photo may be there again with its drive.

    Args:
        gallery: The gallery.
        files: Files that the gallery has with their size and time.
        progress: Where the progress is shown.
    """
    found: list[Found] = []
    unread = 0
    for start in range(0, len(files), TOGETHER):
        part = files[start : start + TOGETHER]
        known = gallery.state([file.key for file in part])
        for file in part:
            entry = known.get(file.key)
            if entry is None or entry.id is None:  # removed meanwhile, or skipped
                found.append(file)
                continue
            content = _digest(file)
            if content is None:
                unread += 1
            elif content != entry.sha256:
                found.append(file)
        progress.show(start + len(part), unread)
    progress.end()
    return found


def _digest(file: Found) -> bytes | None:
    """SHA-256 of a file; None for one that cannot be read."""
    try:
        with open(os.path.join(*file.key), "rb") as opened:
            return hashlib.file_digest(opened, "sha256").digest()
    except OSError:
        return None
