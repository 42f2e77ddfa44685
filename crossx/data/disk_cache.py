"""Images that are drawn once and then read from one file, mapped into memory."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from crossx.core.atomic import atomic_path
from crossx.core.errors import InputError


def drawn_once(path: Path, shape: tuple[int, int, int, int], draw: Callable[[int], Tensor]) -> npt.NDArray[np.uint8]:
    """Open a file of images, and draw it first where it does not exist.

    The file appears whole or not at all, so that an interrupted run, or several processes that draw at the same time,
    leave no half of it behind.

    Args:
        path: File in numpy's format.
        shape: N images of C channels, (N, C, H, W).
        draw: Draws image i, uint8, (C, H, W).

    Returns:
        The images, read-only, (N, C, H, W).

    Raises:
        InputError: When the file holds something else.
    """
    if not path.exists():
        with atomic_path(path) as temporary:
            # With the type spelled out, because `atomic_path` keeps the suffix and numpy maps what it is told.
            images = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            for i in range(len(images)):
                images[i] = draw(i).numpy()
            images.flush()
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: must hold images of crossx, delete it to draw them anew ({error})") from error
    if found.shape != shape or found.dtype != np.uint8:
        raise InputError(
            f"{path}: must hold uint8 images {shape}, got {found.dtype} {found.shape}; delete it to draw them anew"
        )
    mapped: npt.NDArray[np.uint8] = found
    return mapped
