"""Folders that take long to make, made once for all processes of a test run."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Folder that the first process to ask makes, and the others wait for; read it, and leave it as it is.

    Args:
        factory: pytest's factory of folders.
        name: Name of the folder.
        make: Fills the folder, which does not exist.
    """
    own = factory.getbasetemp()
    home = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own  # of all processes of this run
    folder, done = home / f"shared-{name}", home / f"shared-{name}.done"
    with (home / f"shared-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            make(folder)
            done.touch()
    return folder
