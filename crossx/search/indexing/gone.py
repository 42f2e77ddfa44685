"""Photos of a gallery whose files are gone, which is more than that a scan has not found them."""

import os
from collections import Counter
from collections.abc import Callable, Collection

from crossx.core.errors import InputError
from crossx.search.gallery.protocol import Gallery
from crossx.search.gallery.rows import FileKey

MOST = 0.2
"""Share of the photos of a folder that may be gone without a further word: a drive that is not mounted is all."""
REMOVED_TOGETHER = 1024
"""Photos that are removed in one transaction."""


def is_gone(key: FileKey) -> bool:
    """Whether a file is not there; one that cannot be looked at, and a link that leads nowhere, are not gone."""
    try:
        os.lstat(os.path.join(*key))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def gone_photos(
    gallery: Gallery, option: str, many: bool, root: str | None = None, there: Callable[[FileKey], bool] | None = None
) -> list[int]:
    """Ids of the photos whose files are gone.

    Args:
        gallery: The gallery.
        option: The user's word for removing them, for the message.
        many: Whether the user agrees to more than `MOST` of a folder's photos.
        root: Indexed folder whose photos are looked at; None for all.
        there: Files that need not be looked at, because they are there or nobody knows; None for none.

    Raises:
        InputError: When more than `MOST` of a folder's photos are gone, and the user has not agreed to that.
    """
    ids, gone, photos = [], Counter[str](), Counter[str]()
    for photo in gallery.scan():
        if root not in (None, photo.root):
            continue
        photos[photo.root] += 1
        if not (there and there(photo.key)) and is_gone(photo.key):
            gone[photo.root] += 1
            ids.append(photo.id)
    for folder, number in gone.items():
        if number > MOST * photos[folder] and not many:
            raise InputError(
                f"{option}: must stand with --many to remove {number:,} of {photos[folder]:,} photos of {folder!r}, "
                f"more than {MOST:.0%}, whose files are gone; is a drive not mounted?"
            )
    return ids


def remove(gallery: Gallery, ids: Collection[int]) -> int:
    """Remove photos, some in each transaction; returns how many there were."""
    numbers = sorted(ids)
    parts = (numbers[i : i + REMOVED_TOGETHER] for i in range(0, len(numbers), REMOVED_TOGETHER))
    return sum(map(gallery.remove, parts))
