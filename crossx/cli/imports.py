"""`imports` in configs and `--imports`: a user's own packages, imported before anything is parsed.

Cards and checkpoints are files of strangers and never import. A config is the user's own, and names here what cards may
then name.
"""

import importlib
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from crossx.cli.merging import Layer
from crossx.core.errors import InputError

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def take_imports(layers: Iterable[Layer], options: Iterable[str]) -> tuple[list[Layer], list[str]]:
    """Take `imports` out of configs, and import what they and the command line name.

    Args:
        layers: The configs, the lowest first; their lists are joined.
        options: Values of `--imports`, each with names between commas.

    Returns:
        The configs without `imports`, and all names in their order, each of them once.

    Raises:
        InputError: When a value is no list of module names, or a module cannot be imported.
    """
    rest, named = [], []
    for layer in layers:
        content = {key: value for key, value in layer.content.items() if key not in ("imports", "imports+")}
        rest.append(Layer(layer.name, content))
        given = (layer.content.get(key) for key in ("imports", "imports+"))
        named += [(f"{layer.name}: imports", name) for value in given for name in _listed(value, layer.name)]
    named += [
        ("--imports", name.strip()) for value in options for name in value.strip("[] ").split(",") if name.strip()
    ]
    for place, name in named:
        _import(name, place)
    return rest, list(dict.fromkeys(name for _, name in named))


def _listed(value: object, where: str) -> list[str]:
    names = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{where}: imports: must be a list of modules, such as [my_package.networks], got {value!r}")
    return names


def _import(name: str, place: str) -> None:
    if not _MODULE.fullmatch(name) or name.endswith(".py"):
        meant = ".".join(part for part in Path(name).with_suffix("").parts if part not in (".", "/"))
        raise InputError(
            f"{place}: must be the name of a module, such as my_package.networks, got {name!r}"
            + (f" (did you mean {meant!r}?)" if _MODULE.fullmatch(meant) else "")
        )
    folder = str(Path.cwd())
    if folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)  # stays, for workers and later imports; last, so that it hides no installed package
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise InputError(
                f"{place}: {name!r} cannot be imported: {error}; must be installed, or in the working directory, "
                f"{folder}"
            ) from error
        raise InputError(f"{place}: {name!r} cannot be imported: {_where(error)}") from error
    except Exception as error:  # the user's own code can raise anything
        raise InputError(f"{place}: {name!r} cannot be imported: {_where(error)}") from error


def _where(error: Exception) -> str:
    """The error with the last line of code that it came through."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    last = [frame for frame in frames if not frame.filename.startswith("<frozen")][-1]
    return f"{last.filename}, line {last.lineno}: {type(error).__name__}: {error}"
