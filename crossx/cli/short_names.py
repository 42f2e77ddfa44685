"""Short names of classes in configs: a class of crossx, whatever else of the same name is loaded."""

import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import crossx.cli.components  # noqa: F401 - loads every class that a config may name by its short name
from crossx.core.specs import loaded_subclasses

_FREE = ("name", "version", "save_dir", "output")
"""Keys whose values are a user's own words, and never classes."""


def qualify(value: Any) -> Any:  # noqa: ANN401 - a config's value can be anything
    """Return a config in which short names that a class of somebody else shares are written with the path of ours.

    jsonargparse would refuse them as ambiguous, and nothing in a shipped config may depend on what else is loaded.

    Args:
        value: The config, or a part of it.
    """
    return _qualified(value, _shared_names())


def _qualified(value: Any, paths: Mapping[str, str]) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, Mapping):
        return {key: child if key in _FREE else _qualified(child, paths) for key, child in value.items()}
    if isinstance(value, list):
        return [_qualified(child, paths) for child in value]
    return paths.get(value, value) if isinstance(value, str) else value


def _shared_names() -> dict[str, str]:
    """Return the paths of the classes of crossx whose name a class of another package has, too."""
    ours = _classes(tuple(name for name in list(sys.modules) if name.startswith("crossx.")))
    others: set[str] = set()
    for base in ours:
        subclasses: list[type] = loaded_subclasses(base)
        others.update(cls.__name__ for cls in subclasses if not _is_ours(cls))
    return {cls.__name__: f"{cls.__module__}.{cls.__qualname__}" for cls in ours if cls.__name__ in others}


@cache
def _classes(modules: tuple[str, ...]) -> frozenset[type]:
    """Return the classes of crossx in its modules, which define none later."""
    return frozenset(
        value
        for name in modules
        for value in vars(sys.modules[name]).values()
        if isinstance(value, type) and _is_ours(value)
    )


def _is_ours(cls: type) -> bool:
    return cls.__module__.startswith("crossx.")
