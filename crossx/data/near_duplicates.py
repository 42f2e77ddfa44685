"""Photos that show what other photos show: equal files, and copies in another size, compression or colour."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

NEAR = 4
"""Largest number of different bits of two difference hashes of one picture, of 64."""

Bits: TypeAlias = npt.NDArray[np.bool_]
"""Difference hash, (64,)."""


def difference_hash(image: Tensor) -> Bits:
    """Difference hash of an image: whether each of 8 x 8 cells is lighter than the one to its left.

    Args:
        image: uint8 RGB, (3, S, S).
    """
    grey = Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L").resize((9, 8), Image.Resampling.BOX)
    cells = np.asarray(grey)
    bits: Bits = (cells[:, 1:] > cells[:, :-1]).ravel()
    return bits


def file_hash(path: Path) -> bytes | None:
    """SHA-256 of a file; None where there is none, as for photos inside an archive."""
    return hashlib.sha256(path.read_bytes()).digest() if path.is_file() else None


def near_duplicate(bits: Bits, others: Sequence[Bits]) -> int | None:
    """Place of the nearest hash with at most `NEAR` different bits, or None.

    Args:
        bits: Difference hash of a photo.
        others: Those of the photos to compare with.
    """
    if not others:
        return None
    distance = (np.stack(others) != bits).sum(axis=1)
    nearest = int(distance.argmin())
    return nearest if distance[nearest] <= NEAR else None
