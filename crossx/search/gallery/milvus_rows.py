"""Photos as rows of Milvus, and conditions on them, whose texts need no quoting."""

import hashlib
import os
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import numpy as np

from crossx.search.gallery.rows import FileKey, Photo
from crossx.search.gallery.truth import below

PHOTO_FIELDS = ["id", "root", "path", "size", "mtime_ns", "sha256", "width", "height", "vector"]
"""Fields of a photo."""
IDS_AT_ONCE = 1024
"""Values in one condition."""
NOTHING = "id < 0"
"""A condition that no photo meets."""
_ID_BITS = 52
"""Ids stay below 2^53, the whole numbers that a browser reads exactly."""


def escaped(text: str) -> str:
    """A name as ASCII without quotes and backslashes: bytes that are no UTF-8 survive, and a condition cannot break."""
    return quote(os.fsencode(text), safe="/ ")


def plain(text: str) -> str:
    """The name that `escaped` has made safe."""
    return os.fsdecode(unquote_to_bytes(text))


def first_number(photo: Photo) -> int:
    """The id that a photo should have, from its folder, path and content."""
    name = b"\0".join([os.fsencode(photo.root), os.fsencode(photo.path), photo.sha256])
    return (int.from_bytes(hashlib.sha256(name).digest()[:8], "big") >> (64 - _ID_BITS)) + 1


def as_row(photo: Photo, number: int) -> dict[str, Any]:
    """A photo as Milvus has it."""
    return {
        "id": number,
        "root": escaped(photo.root),
        "path": escaped(photo.path),
        "size": photo.size,
        "mtime_ns": photo.mtime_ns,
        "sha256": photo.sha256.hex(),
        "width": photo.width,
        "height": photo.height,
        "vector": photo.vector,
    }


def as_photo(row: dict[str, Any]) -> Photo:
    """The photo of a row."""
    return Photo(
        plain(row["root"]),
        plain(row["path"]),
        int(row["size"]),
        int(row["mtime_ns"]),
        bytes.fromhex(row["sha256"]),
        int(row["width"]),
        int(row["height"]),
        np.asarray(row["vector"], np.float32),
        int(row["id"]),
    )


def file_note(key: FileKey) -> str:
    """Name of the note on a skipped file."""
    return f"skipped {hashlib.sha256(os.fsencode(key.root) + bytes(1) + os.fsencode(key.path)).hexdigest()}"


def one_of(field: str, values: Iterable[int | str]) -> str:
    """The condition that a field has one of some values; texts must be safe."""
    return f"{field} in [{', '.join(str(v) if isinstance(v, int) else f'{chr(34)}{v}{chr(34)}' for v in values)}]"


def condition_of(under: str, roots: Iterable[str]) -> str:
    """The condition that a photo lies in a folder.

    Args:
        under: The folder: absolute, or relative to the indexed folders.
        roots: Indexed folders.
    """
    folders = [(root, below(root, under)) for root in roots]
    return " or ".join(_in_folder(root, folder) for root, folder in folders if folder is not None) or NOTHING


def _in_folder(root: str, folder: str) -> str:
    name = escaped(folder)
    inside = f' and path >= "{name}/" and path < "{name}0"' if folder else ""  # "0" is the character after "/"
    return f'(root == "{escaped(root)}"{inside})'
