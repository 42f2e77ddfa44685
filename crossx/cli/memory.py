"""Memory that a run on a CPU keeps."""

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of `mallopt`, from glibc's malloc.h."""


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed: by default each batch asks the system for its activations anew.

    Fresh memory has to be filled with zeros, which costs up to a fifth of a step's time, and a third of that of a
    network that only embeds. It holds for the whole process. Settings of the user (environment variables `MALLOC_...`)
    and other C libraries than glibc stay.

    Returns:
        Whether the library took the settings.
    """
    named = any(name.startswith("MALLOC_") for name in os.environ)
    mallopt = None if named or sys.platform != "linux" else getattr(ctypes.CDLL(None), "mallopt", None)
    # No block of its own for large requests, and nothing given back at the end of the heap.
    return mallopt is not None and all(mallopt(*setting) == 1 for setting in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1)))
