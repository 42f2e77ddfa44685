"""Legal classes and options at a place of a config, read out of the annotations of the classes on the way."""

import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import lightning.pytorch as pl
import torch
from torch import nn

from crossx.core.specs import loaded_subclasses

_PARTS: tuple[type[Any], ...] = (nn.Module, torch.utils.data.Dataset)
"""Bases of what a config may name, for the class that a user names at the wrong place."""
_ROOTS: dict[str, type] = {"model": pl.LightningModule, "data": pl.LightningDataModule, "trainer": pl.Trainer}

Step = tuple[str, str]
"""A step on the way to a place: ("key", name) or ("class", class path)."""


def legal_classes(way: Sequence[Step]) -> list[str]:
    """Names of the classes that fit a place; empty where the annotations do not tell.

    Args:
        way: From the outside to the inside; ends with the key whose class is wanted.
    """
    bases = [inner for inner in _inner(_kind_at(way)) if inspect.isclass(inner) and not issubclass(inner, _Plain)]
    of_trainer = bool(way) and way[0][1].partition(".")[0] == "trainer"
    found = {cls.__name__ for base in bases for cls in _concrete(base) if _is_offered(cls, of_trainer)}
    return sorted(found)


def _concrete(base: type) -> list[type]:
    own = base.__module__.startswith("crossx.") and not inspect.isabstract(base)
    return [*([base] if own else []), *loaded_subclasses(base)]


def _kind_at(way: Sequence[Step]) -> Any:  # noqa: ANN401 - an annotation
    """The annotation at a place."""
    kind: Any = None
    for what, name in way:
        if what == "class":
            kind = _narrowed(kind, loaded_class(name))
        else:
            for part in name.split("."):
                kind = _ROOTS.get(part) if kind is None else _argument(kind, part)
    return kind


_Plain = (int, float, str, dict, list, tuple, type(None))


def _is_offered(cls: type, of_trainer: bool) -> bool:
    package = cls.__module__.partition(".")[0]
    trains = not issubclass(cls, pl.LightningModule) or cls.training_step is not pl.LightningModule.training_step
    # Of a trainer's parts Lightning's are meant: crossx adds its own by itself.
    return trains and not cls.__name__.startswith("_") and (package == "lightning") == of_trainer


def base_of(given: str) -> str:
    """The name of the nearest public base of a class that a user names, if such a class is loaded; else empty.

    Args:
        given: `OneHotLoss`, or the full path of a class.
    """
    module, _, name = given.rpartition(".")
    named: list[type] = [cls for root in _PARTS for cls in loaded_subclasses(root) if cls.__name__ == name]
    for cls in named:
        if not module or cls.__module__.startswith(module):
            parents = [base for base in cls.__mro__[1:] if base.__module__.startswith("crossx.")]
            return next((base.__name__ for base in parents if not base.__name__.startswith("_")), "")
    return ""


def legal_options(owner: type, way: Sequence[Step]) -> list[str]:
    """The names of the arguments of a class that a config may set.

    Args:
        owner: The class.
        way: From the outside to the inside; ends with the class, or the class that it is a group of options of.
    """
    names = list(inspect.signature(owner).parameters)
    if way and way[-1][0] == "class" and loaded_class(way[-1][1]) is owner:
        return names[_given_by_call(_kind_at(way[:-1]), owner) :]
    return names


def _given_by_call(kind: Any, owner: type) -> int:  # noqa: ANN401 - an annotation
    """How many leading arguments a factory gets when it is called, such as an optimiser's parameters."""
    kinds = list(_inner(kind))
    for inner in kinds:
        arguments = get_args(inner)
        if arguments and isinstance(arguments[0], list) and len(arguments) == 2:
            made = get_origin(arguments[1]) or arguments[1]
            if inspect.isclass(made) and issubclass(owner, made):
                # Where an instance is legal, too, the class is a factory if its first argument is the context.
                taken = next(iter(get_type_hints(owner.__init__).values()), None)
                is_instance = inner is not kind and made in get_args(kind) and taken is not arguments[0][0]
                return 0 if is_instance else len(arguments[0])
    return 0


def owner_of(option: str, class_path: str) -> tuple[type, str]:
    """The class or dataclass that an option goes wrong at, and the part of the option that it does not know.

    Args:
        option: Such as `schedule.warmp`.
        class_path: The class that it is an option of.
    """
    owner: type = loaded_class(class_path)
    *groups, last = option.split(".")
    for group in groups:
        inner = get_type_hints(owner.__init__).get(group)  # type: ignore[misc]  # of this very class
        if not (isinstance(inner, type) and is_dataclass(inner)):
            return owner, last if group in inspect.signature(owner).parameters else group
        owner = inner
    return owner, last


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
