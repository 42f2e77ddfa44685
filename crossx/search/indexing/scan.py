"""The photos in a folder or a list: found in a fixed order, without opening any."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from crossx.core.errors import InputError
from crossx.core.paths import nearest_file
from crossx.search.gallery.rows import FileKey

ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""Endings of photos, in small letters; what a file holds is seen when it is decoded."""


class Found(NamedTuple):
    """A file that may be a photo.

    Attributes:
        key: Its name.
        size: Length in bytes.
        mtime_ns: Time of its last change, in nanoseconds.
    """

    key: FileKey
    size: int
    mtime_ns: int


@dataclass
class Scan:
    """What a folder or a list holds.

    Attributes:
        root: Absolute path that names of files begin at.
        files: Files that may be photos, in the order of their names.
        others: Number of files with other endings.
        remarks: What could not be looked at, in words.
    """

    root: str
    files: list[Found] = field(default_factory=list)
    others: int = 0
    remarks: list[str] = field(default_factory=list)


def scan(place: Path, follow_symlinks: bool = False) -> Scan:
    """Look for photos.

    Hidden files and folders are left out, and links unless they are asked for.

    Args:
        place: A folder, or a text file with a name a line, absolute or below the folder of the text file.
        follow_symlinks: Whether links to files and folders count; a folder that is reached twice counts once.

    Raises:
        InputError: When there is no such place, or no photo in it.
    """
    if place.is_dir():
        found = Scan(os.path.realpath(place))
        _walk(found, follow_symlinks)
    elif place.is_file():
        found = _listed(place)
    else:
        raise InputError(
            f"--photos: must be a folder, or a text file with names of photos, got {str(place)!r}{nearest_file(place)}"
        )
    if not found.files:
        more = f"; it has {found.others} other files" if found.others else ""
        more += "".join(f"; {remark}" for remark in found.remarks[:3])
        raise InputError(f"--photos: must hold photos ({', '.join(ENDINGS)}), got none in {str(place)!r}{more}")
    return found


def _walk(found: Scan, follow: bool) -> None:
    seen: set[tuple[int, int]] = set()
    for folder, entries in _folders(found, follow, seen):
        for entry in entries:
            if not entry.name.lower().endswith(ENDINGS):
                found.others += 1
                continue
            try:
                status = entry.stat(follow_symlinks=follow)
            except OSError as error:  # a link to nothing
                found.remarks.append(f"{entry.path}: {error.strerror}")
                continue
            if stat.S_ISREG(status.st_mode):
                path = os.path.relpath(os.path.join(folder, entry.name), found.root)
                found.files.append(Found(FileKey(found.root, path), status.st_size, status.st_mtime_ns))
    found.files.sort()


def _folders(found: Scan, follow: bool, seen: set[tuple[int, int]]) -> Iterator[tuple[str, list["os.DirEntry[str]"]]]:
    """Each folder with its files; a stack in place of recursion, because trees may be deep."""
    waiting = [found.root]
    while waiting:
        folder = waiting.pop()
        files = []
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:  # a link to a folder above, or a second link
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=follow):
                        waiting.append(entry.path)
                    elif follow or not entry.is_symlink():
                        files.append(entry)
        except OSError as error:
            found.remarks.append(f"{folder}: {error.strerror}")
        yield folder, files


def _listed(place: Path) -> Scan:
    """The files of a list; those that are absolute begin at `/`."""
    lines = [os.fsdecode(line) for line in place.read_bytes().splitlines() if line.strip()]
    absolute = any(os.path.isabs(line) for line in lines)
    base = os.path.realpath(place.parent)
    found = Scan("/" if absolute else base)
    for line in dict.fromkeys(os.path.normpath(os.path.join(base, line)) for line in lines):
        try:
            status = os.stat(line)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            found.remarks.append(f"{line!r}: {getattr(error, 'strerror', error)}")
            continue
        path = os.path.relpath(line, found.root)
        if not stat.S_ISREG(status.st_mode) or path.startswith("../"):
            found.remarks.append(f"{line!r}: must be a file below {found.root}")
        elif path.lower().endswith(ENDINGS):
            found.files.append(Found(FileKey(found.root, path), status.st_size, status.st_mtime_ns))
        else:
            found.others += 1
    found.files.sort()
    return found
