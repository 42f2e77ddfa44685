"""Turns of large pictures: memory is bounded by one of them, and not by the number of threads that decode."""

import threading
from contextlib import AbstractContextManager, nullcontext

from PIL import Image

LARGE = 4_000_000
"""Pixels from which a picture is large; a smaller one takes 16 MB an array."""
_TURN = threading.Lock()


def turn_of(image: Image.Image) -> AbstractContextManager[object]:
    """The turn in which an opened picture is decoded; small pictures need not wait for one."""
    return _TURN if image.width * image.height > LARGE else nullcontext()
