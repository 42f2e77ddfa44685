"""The classes that a package offers, found by its `__all__`: a new class is in every test of its kind by that line."""

import inspect
import pkgutil
from importlib import import_module
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def exported(package: ModuleType, base: type[T]) -> dict[str, type[T]]:
    """The concrete subclasses of a base class that a package exports, by name."""
    found = {name: getattr(package, name) for name in package.__all__}
    return {
        name: value
        for name, value in found.items()
        if inspect.isclass(value) and issubclass(value, base) and not inspect.isabstract(value)
    }


def defined(package: ModuleType, base: type[T]) -> set[str]:
    """Names of the concrete subclasses of a base class that the modules of a package define."""
    modules = [import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)]
    return {
        name
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, base)
        and not inspect.isabstract(value)
        and value.__module__ == module.__name__
    }


def term_name(name: str) -> str:
    """`InfoNCELoss` as `InfoNCE`: the name of a term in a test's config."""
    return name.removesuffix("Loss")
