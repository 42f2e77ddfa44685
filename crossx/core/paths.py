"""Lookup of the paths that configs name.

`crossx:assets/x` is a file of the installed package. A relative path is looked up in the current folder first, then in
the data root, the folder that the environment variable `CROSSX_DATA` names, and last in the folders in which the run of
a checkpoint was started.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.resources import files
from pathlib import Path

from crossx.core.checks import did_you_mean
from crossx.core.errors import InputError

PACKAGE_PREFIX = "crossx:"
_FORMER: ContextVar[tuple[str, ...]] = ContextVar("former", default=())


@contextmanager
def looked_up_in_former(folders: Sequence[str]) -> Iterator[None]:
    """Look up relative paths in the folders in which a run was started, too."""
    token = _FORMER.set(tuple(folders))
    try:
        yield
    finally:
        _FORMER.reset(token)


def starting_folders() -> list[str]:
    """Folders that relative paths of a run may belong to: the current one, and those of the runs before a resume."""
    return list(dict.fromkeys([os.getcwd(), *_FORMER.get()]))


def package_file(name: str) -> Path:
    """Path of a file of the installed package, such as `assets/photo.safetensors`."""
    return Path(str(files("crossx"))) / name


def resolve(path: str | Path, field: str) -> Path:
    """Find an existing file or folder that a config names.

    Args:
        path: The path in the config.
        field: The config field, for the message.

    Returns:
        An existing path.

    Raises:
        InputError: When the path is empty or does not exist; the message lists every place that was tried.
    """
    if not str(path):  # would be the current folder
        raise InputError(f"{field}: must be the name of a file or folder, got an empty text")
    text, root = os.path.expanduser(str(path)), os.environ.get("CROSSX_DATA")
    if text.startswith(PACKAGE_PREFIX):
        tried = [package_file(text.removeprefix(PACKAGE_PREFIX))]
    else:
        tried = [Path(text)]
        if root and not Path(text).is_absolute():
            tried.append(Path(root) / text)
        tried += [candidate for folder in _FORMER.get() if (candidate := Path(folder) / text) not in tried]
    for candidate in tried:
        if candidate.exists():
            return candidate
    hint = "" if root or Path(text).is_absolute() or text.startswith(PACKAGE_PREFIX) else "; CROSSX_DATA is not set"
    near = next(filter(None, map(nearest_file, tried)), "")
    raise InputError(f"{field}: {str(path)!r} does not exist (tried {', '.join(map(str, tried))}{hint}){near}")


def nearest_file(path: Path) -> str:
    """` (did you mean 'x'?)` with the most similar name in the folder of a path, or nothing."""
    folder = path.parent
    try:
        return did_you_mean(path.name, sorted(entry.name for entry in folder.iterdir()))
    except OSError:  # no such folder
        return ""
