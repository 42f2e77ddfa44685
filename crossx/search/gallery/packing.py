"""Rows of a gallery as values of SQLite, with checksums: damage to a row is found when it is read."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from crossx.search.gallery.database import damaged
from crossx.search.gallery.rows import F32, Photo

_NUMBERS = struct.Struct("<qqqqqqq")
_LENGTH_TOLERANCE = 1e-3
"""Largest difference from 1 of the length of a stored vector; float16 shards differ by up to 5e-4."""


def photo_crc(row: tuple[Any, ...]) -> int:
    """CRC-32 of a row of `photo` without its last value.

    Args:
        row: id, root, path, size, mtime_ns, sha256, width, height, vector.
    """
    number, root, path, size, mtime_ns, sha256, width, height, vector = row
    numbers = _NUMBERS.pack(number, root, size, mtime_ns, width, height, vector)
    return zlib.crc32(path, zlib.crc32(sha256, zlib.crc32(numbers)))


def vector_crc(number: int, embedding: bytes) -> int:
    """CRC-32 of a row of `vector`."""
    return zlib.crc32(embedding, number & 0xFFFFFFFF)


def as_vector(file: Path, number: int, embedding: bytes, crc: int, dim: int) -> F32:
    """The stored vector of a row.

    Args:
        file: The database, for the message.
        number: Id of the row.
        embedding: Its bytes.
        crc: Its checksum.
        dim: Length D that it must have.

    Raises:
        InputError: When the row is damaged.
    """
    if len(embedding) != 4 * dim or vector_crc(number, embedding) != crc:
        raise damaged(file, f"vector {number} does not have its checksum")
    return np.frombuffer(embedding, "<f4")


def as_photo(file: Path, row: tuple[Any, ...], root: str, vector: F32) -> Photo:
    """The photo of a row of `photo`, checksum last.

    Raises:
        InputError: When the row is damaged, or its path leads out of its root.
    """
    *values, crc = row
    try:
        good = photo_crc(tuple(values)) == crc
    except (TypeError, struct.error):  # a value of another kind
        good = False
    if not good:
        raise damaged(file, f"photo {row[0]} does not have its checksum")
    number, _, path, size, mtime_ns, sha256, width, height, _ = values
    if path.startswith(b"/") or b".." in path.split(b"/"):  # a database from elsewhere must not name other files
        raise damaged(file, f"photo {number} has a path that leads out of its folder")
    return Photo(root, os.fsdecode(path), size, mtime_ns, sha256, width, height, vector, number)


def check_vectors(vectors: F32, dim: int, field: str) -> None:
    """Refuse vectors that are no embeddings of an encoder.

    Args:
        vectors: (N, D) numbers.
        dim: The D that is wanted.
        field: What they are, for the message.

    Raises:
        ValueError: When the shape, a number or a length is wrong; an encoder never gives that.
    """
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise ValueError(f"{field}: must have the shape (N, {dim}), got {vectors.shape}")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    wrong = np.flatnonzero(~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE))
    if len(wrong):
        raise ValueError(f"{field}: must have length 1, got {lengths[wrong[0]]} at position {wrong[0]}")
