"""The photos in a folder or a list: found in a fixed order, without opening any."""

import os
import stat
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
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
        unseen: Folders that could not be looked at.
    """

    root: str
    files: list[Found] = field(default_factory=list)
    others: int = 0
    remarks: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def hides(self, key: FileKey) -> bool:
        """Whether a file lies in a folder that could not be looked at."""
        path = os.path.join(*key)
        return any(path.startswith(os.path.join(folder, "")) for folder in self.unseen)


def scan(place: Path, follow_symlinks: bool = False) -> Scan:
    """Look for photos.

    Hidden files and folders are left out, and links unless they are asked for. What a link leads to has its own name,
    below the folder where it really lies: a server opens photos by names without links, or not at all.

    Args:
        place: A folder, or a text file with a name a line, absolute or below the folder of the text file.
        follow_symlinks: Whether links to files and folders count; a file that is reached twice counts once.

    Raises:
        InputError: When there is no such place, or no photo in it.
    """
    if place.is_dir():
        found = Scan(os.path.realpath(place))
        _walk(found, follow_symlinks)
    elif place.is_file():
        found = _listed(place, follow_symlinks)
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
    files: dict[FileKey, Found] = {}
    for root, entries in _folders(found, follow):
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
                linked = entry.is_symlink()
                key = _key(os.path.realpath(entry.path), found.root) if linked else _key(entry.path, root)
                files[key] = Found(key, status.st_size, status.st_mtime_ns)
    found.files = sorted(files.values())


def _folders(found: Scan, follow: bool) -> Iterator[tuple[str, list["os.DirEntry[str]"]]]:
    """Each folder's files with the root of their names; a stack in place of recursion, because trees may be deep."""
    waiting = [(found.root, found.root)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        root, folder = waiting.pop()
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
                    if not entry.is_dir(follow_symlinks=follow):
                        if follow or not entry.is_symlink():
                            files.append(entry)
                    elif entry.is_symlink():
                        target = os.path.realpath(entry.path)
                        waiting.append((found.root if _is_below(target, found.root) else target, target))
                    else:
                        waiting.append((root, entry.path))
        except OSError as error:
            found.remarks.append(f"{folder}: {error.strerror}")
            found.unseen.append(folder)
        yield root, files


def _listed(place: Path, follow: bool) -> Scan:
    """The files of a list; those that are absolute begin at `/`."""
    lines = [os.fsdecode(line) for line in place.read_bytes().splitlines() if line.strip()]
    absolute = any(os.path.isabs(line) for line in lines)
    base = os.path.realpath(place.parent)
    found, files, real = Scan("/" if absolute else base), dict[FileKey, Found](), cache(os.path.realpath)
    for line in dict.fromkeys(os.path.normpath(os.path.join(base, line)) for line in lines):
        try:
            folder, name = os.path.split(line)
            path = os.path.realpath(line) if follow else os.path.join(real(folder), name)
            status = os.lstat(path)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            found.remarks.append(f"{line!r}: {getattr(error, 'strerror', error)}")
            continue
        if stat.S_ISLNK(status.st_mode):
            found.remarks.append(f"{line!r}: is a link, which only --follow-symlinks takes")
        elif not stat.S_ISREG(status.st_mode) or not (follow or _is_below(path, found.root)):
            found.remarks.append(f"{line!r}: must be a file below {found.root}")
        elif line.lower().endswith(ENDINGS):
            key = _key(path, found.root)
            files[key] = Found(key, status.st_size, status.st_mtime_ns)
        else:
            found.others += 1
    found.files = sorted(files.values())
    return found


class Named(NamedTuple):
    """A file that a user has named, with the keys that a gallery may know it by.

    Attributes:
        keys: Below each indexed folder that holds the file, the nearest one first; or below its own folder.
        size: Length in bytes.
        mtime_ns: Time of its last change, in nanoseconds.
    """

    keys: list[FileKey]
    size: int
    mtime_ns: int

    def file(self, known: Container[FileKey]) -> Found:
        """The file by the key that is known, or else by the first one."""
        return Found(next((key for key in self.keys if key in known), self.keys[0]), self.size, self.mtime_ns)


def named(name: str, folders: Sequence[str]) -> Named:
    """Find one file by its name.

    Args:
        name: Name of a file; links are followed.
        folders: Folders that were indexed, absolute.

    Raises:
        InputError: When there is no such file, or its ending is not that of a photo.
    """
    path = os.path.realpath(name)
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"photo: {name!r}: {reason}{nearest_file(Path(name))}") from error
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"photo: must be a file, got {name!r}; `crossx index` takes folders")
    if not name.lower().endswith(ENDINGS):
        raise InputError(f"photo: must end in {', '.join(ENDINGS)}, got {name!r}")
    above = sorted((folder for folder in folders if _is_below(path, folder)), key=len, reverse=True)
    keys = [_key(path, folder) for folder in above or [os.path.dirname(path)]]
    return Named(keys, status.st_size, status.st_mtime_ns)


def _is_below(path: str, root: str) -> bool:
    return path.startswith(os.path.join(root, ""))


def _key(path: str, root: str) -> FileKey:
    """Name of a file without links: below a root, or else below its own folder."""
    if _is_below(path, root):
        return FileKey(root, path.removeprefix(os.path.join(root, "")))
    return FileKey(*os.path.split(path))
