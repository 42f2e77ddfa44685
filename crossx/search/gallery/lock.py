"""One writer at a time: a lock of the kernel, which ends with its process however that ends."""

import fcntl
import os
from pathlib import Path

from crossx.core.errors import InputError


class Lock:
    """An exclusive lock on a file, held until `release` or the end of the process.

    Args:
        path: The file; it is made, and stays.
        busy: Message where another process holds the lock; `{pid}` is its number.

    Raises:
        InputError: When another process holds it.
    """

    def __init__(self, path: Path, busy: str) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._handle, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._handle)
            raise InputError(busy.format(pid=holder)) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
