"""How a path in a config is found.

`crossx:assets/x` is a file of the installed package, an absolute path is itself, and a relative one is looked up in
the current folder first and then below the data root, which the environment variable `CROSSX_DATA` names.
"""

import os
from importlib.resources import files
from pathlib import Path

from crossx.core.errors import InputError

PACKAGE_PREFIX = "crossx:"


def package_file(name: str) -> Path:
    """A file of the installed package, such as `assets/photo.safetensors`."""
    return Path(str(files("crossx"))) / name


def resolve(path: str | Path, field: str) -> Path:
    """Find an existing file or folder that a config names.

    Args:
        path: What the config says.
        field: The config field, for the message.

    Returns:
        An existing path.

    Raises:
        InputError: When the name is empty, or nothing exists under it, with every place that was tried.
    """
    if not str(path):  # would be the current folder
        raise InputError(f"{field}: empty, legal is the name of a file or folder")
    text, root = os.path.expanduser(str(path)), os.environ.get("CROSSX_DATA")
    if text.startswith(PACKAGE_PREFIX):
        tried = [package_file(text.removeprefix(PACKAGE_PREFIX))]
    else:
        tried = [Path(text)]
        if root and not Path(text).is_absolute():
            tried.append(Path(root) / text)
    for candidate in tried:
        if candidate.exists():
            return candidate
    hint = "" if root or Path(text).is_absolute() or text.startswith(PACKAGE_PREFIX) else "; CROSSX_DATA is not set"
    raise InputError(f"{field}: {str(path)!r} does not exist (tried {', '.join(map(str, tried))}{hint})")
