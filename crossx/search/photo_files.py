"""Opening of indexed photos: never a file outside of the indexed folder, whatever the gallery or the disk says."""

import os
import stat
from typing import BinaryIO

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a FIFO would wait for a writer for ever


class NoPhotoError(OSError):
    """A photo of the gallery that is not there to be read any more."""


def open_below(root: str, path: str) -> BinaryIO:
    """Open a regular file below a folder, part by part from the folder's handle; no part may be a symbolic link.

    A name is looked up in the folder that is open, so that nobody can exchange a part of the path between a check and
    the opening.

    Args:
        root: The folder.
        path: Path below it, with `/` between its parts.

    Raises:
        NoPhotoError: When it does not exist, is no regular file, or is reached through a link or out of the folder.
    """
    *folders, name = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in (*folders, name)):
        raise NoPhotoError("a path out of its folder")
    try:
        handle = os.open(root, _FOLDER)
        try:
            for folder in folders:
                inner = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
                os.close(handle)
                handle = inner
            file = os.open(name, _FILE, dir_fd=handle)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        raise NoPhotoError(f"not there ({type(error).__name__})") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise NoPhotoError("no regular file")
    return os.fdopen(file, "rb")
