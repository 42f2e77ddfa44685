"""Reading configs: shipped ones by their names, what they include, and YAML's errors with file and line."""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import crossx
from crossx.cli.merging import Layer
from crossx.cli.renamed import refuse_old_names, renamed_config
from crossx.core.errors import InputError
from crossx.core.yaml_files import read_yaml


def shipped_configs() -> Path:
    """Folder of the shipped configs: inside an installed wheel, beside the package in a checkout."""
    package = Path(crossx.__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def find_config(name: str, folder: Path = Path(), field: str = "--config") -> Path:
    """A config by its name: a file, else a shipped one.

    Args:
        name: A path, or the name of a shipped config with or without `.yaml`.
        folder: What a relative path is relative to.
        field: Where the user named it, for messages.

    Raises:
        InputError: When it is neither, with the nearest shipped names.
    """
    shipped = shipped_configs()
    for candidate in (folder / name, shipped / name, shipped / f"{name}.yaml"):
        if candidate.is_file():
            return candidate
    if old := renamed_config(name):
        raise InputError(f"{field}: {name!r}: {old}")
    known = sorted(path.relative_to(shipped).as_posix() for path in shipped.rglob("*.yaml"))
    last = {path: Path(path).name for path in known}
    near = get_close_matches(name, known, n=3, cutoff=0.7) or [
        path
        for close in get_close_matches(Path(name).name, last.values(), n=2)
        for path in known
        if last[path] == close
    ]
    beside = (other.name for ending in ("*.yaml", "*.yml") for other in (folder / name).parent.glob(ending))
    near = [*get_close_matches(Path(name).name, beside, n=1, cutoff=0.7), *near]
    legal = f"did you mean {' or '.join(dict.fromkeys(near))}?" if near else f"the shipped ones are in {shipped}"
    raise InputError(f"{field}: {name!r} is neither a file nor a shipped config; {legal}")


def read_layers(name: str) -> list[Layer]:
    """A config and all that it includes, the lowest first.

    A config may begin with `include: [data/shapes.yaml, ...]`: files relative to the config, or shipped ones. They are
    merged in that order, and the config itself last.

    Args:
        name: A path, or the name of a shipped config.

    Raises:
        InputError: When a file is missing, is not YAML, is of crossx 0.1.0, or includes itself.
    """
    return list(_layers(find_config(name), ()))


def _layers(path: Path, including: tuple[Path, ...]) -> Iterator[Layer]:
    name = _short(path)
    if path.resolve() in including:
        raise InputError(f"{_short(including[-1])}: include: {name} includes this file, and would include itself")
    content = _read(path, name)
    included = content.pop("include", [])
    if not isinstance(included, list) or not all(isinstance(other, str) for other in included):
        raise InputError(f"{name}: include: must be a list of configs, got {included!r}")
    refuse_old_names(content, name)
    for other in included:
        found = find_config(other, path.parent, f"{name}: include")
        yield from _layers(found, (*including, path.resolve()))
    yield Layer(name, content)


def _short(path: Path) -> str:
    shipped = shipped_configs()
    return path.relative_to(shipped).as_posix() if path.is_relative_to(shipped) else str(path)


def _read(path: Path, name: str) -> dict[str, Any]:
    content = read_yaml(path, name)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{name}: must be a mapping of keys to values, got {type(content).__name__}")
    return content
