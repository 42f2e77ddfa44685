"""Legal classes and options at a place of a config, read out of the annotations of the classes on the way."""

import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import lightning.pytorch as pl

from crossx.core.specs import loaded_subclasses

_ROOTS: dict[str, type] = {"model": pl.LightningModule, "data": pl.LightningDataModule}

Step = tuple[str, str]
"""A step on the way to a place: ("key", name) or ("class", class path)."""


def legal_classes(way: Sequence[Step]) -> list[str]:
    """Names of the classes that fit a place; empty where the annotations do not tell.

    Args:
        way: From the outside to the inside; ends with the key whose class is wanted.
    """
    kind: Any = None
    for what, name in way:
        if what == "class":
            kind = _narrowed(kind, loaded_class(name))
        else:
            kind = _ROOTS.get(name) if kind is None else _argument(kind, name)
    bases = [inner for inner in _inner(kind) if inspect.isclass(inner) and not issubclass(inner, _Plain)]
    found = {cls.__name__ for base in bases for cls in loaded_subclasses(base) if _is_offered(cls)}
    return sorted(found)


_Plain = (int, float, str, dict, list, tuple, type(None))


def _is_offered(cls: type) -> bool:
    package = cls.__module__.partition(".")[0]
    trains = not issubclass(cls, pl.LightningModule) or cls.training_step is not pl.LightningModule.training_step
    return trains and not cls.__name__.startswith("_") and package != "lightning"


def legal_options(option: str, class_path: str) -> list[str]:
    """The names that may stand in the place of an option's last part.

    Args:
        option: Such as `schedule.warmp`.
        class_path: The class that it is an option of.
    """
    return list(inspect.signature(owner_of(option, class_path)).parameters)


def owner_of(option: str, class_path: str) -> type:
    """The class or dataclass that the last part of an option belongs to."""
    owner: type = loaded_class(class_path)
    for group in option.split(".")[:-1]:
        inner = get_type_hints(owner.__init__).get(group)  # type: ignore[misc]  # of this very class
        if not (isinstance(inner, type) and is_dataclass(inner)):
            break
        owner = inner
    return owner


def loaded_class(class_path: str) -> type:
    """A class that the parser has imported."""
    module, _, name = class_path.rpartition(".")
    found: type = getattr(sys.modules[module], name)
    return found


def _argument(kind: Any, name: str) -> Any:  # noqa: ANN401 - an annotation
    """The annotation of an argument, with the type variables of its class filled in."""
    origin = get_origin(kind) or kind
    if not inspect.isclass(origin):
        return None
    found = get_type_hints(origin.__init__).get(name)
    filled = dict(zip(getattr(origin, "__parameters__", ()), get_args(kind), strict=False))
    if isinstance(found, TypeVar):
        return filled.get(found)
    free = getattr(found, "__parameters__", ())
    return found[tuple(filled.get(variable, Any) for variable in free)] if found is not None and free else found


def _narrowed(kind: Any, cls: type) -> Any:  # noqa: ANN401
    """The class, with the type arguments that the annotation around it gives."""
    return next((inner for inner in _inner(kind) if get_origin(inner) is cls), cls)


def _inner(kind: Any) -> Iterator[Any]:  # noqa: ANN401
    """An annotation and all that is inside it, of a callable only what it returns."""
    yield kind
    arguments = get_args(kind)
    for inner in arguments[-1:] if arguments and isinstance(arguments[0], list) else arguments:
        yield from _inner(inner)
