"""Classes and their arguments in a file, and how such a class is found without importing anything.

Files come from strangers, so a name in a file is only compared with the classes that are loaded already. A bare name
(`SmallResNet`) is a class of crossx and nothing else; a class of another package has its module before its name
(`my_package.networks.MyNet`). Nobody's own `SmallResNet` can thus be taken for the one of crossx.
"""

import inspect
import sys
from collections.abc import Mapping
from typing import Any, TypeGuard, TypeVar, get_args, get_type_hints

from crossx.core.checks import did_you_mean, some
from crossx.core.errors import InputError

T = TypeVar("T")


def loaded_subclasses(base: type[T]) -> list[type[T]]:
    """All concrete subclasses of a class that are imported, of all packages, in the order of their definition.

    A class with the name of one of its own bases is none of them: `torch.export` leaves such stand-ins behind for each
    module that it has traced, and they cannot be built.
    """
    found: list[type[T]] = []
    for child in base.__subclasses__():
        stands_in = any(class_name(child) == class_name(other) for other in child.__mro__[1:])
        if not inspect.isabstract(child) and not stands_in:
            found.append(child)
        found += loaded_subclasses(child)
    return found


def class_name(cls: type) -> str:
    """The name of a class in a file: bare for a class of crossx, `module.name` for every other one."""
    return cls.__qualname__ if cls.__module__.startswith("crossx.") else f"{cls.__module__}.{cls.__qualname__}"


def find_class(name: str, base: type[T]) -> type[T]:
    """Find a loaded class by its name in a file.

    Args:
        name: As `class_name` gives it; the dotted path of a class of crossx, as configs have it, is found too.
        base: The class is a concrete subclass of it.

    Returns:
        The class; of several with the same module and name (a notebook's cell that ran twice), the newest.

    Raises:
        InputError: When no such class is loaded; the message has the names of those that are, and the nearest one.
    """
    known = {class_name(cls): cls for cls in loaded_subclasses(base)}
    if name in known:
        return known[name]
    module, _, attribute = name.rpartition(".")
    # `vars`, because a module's `__getattr__` may import.
    exported = vars(sys.modules[module]).get(attribute) if module in sys.modules else None
    if exported in known.values():
        return exported  # type: ignore[return-value]  # one of them
    message = f"{base.__name__} {name!r} is not loaded; loaded are {some(sorted(known), name)}"
    hint = did_you_mean(name, known) or did_you_mean(attribute, known)
    if module in sys.modules:
        hint += f"; {module!r} is imported, but has no class {attribute!r}"
        if exported is not None:
            methods = " and ".join(sorted(getattr(base, "__abstractmethods__", ())))
            hint = f"; it must be a subclass of {base.__module__}.{base.__name__} with {methods}"
    elif module:
        hint += (
            f"; files never import, so {module!r} must be imported first: `imports: [{module}]` at the top of the "
            f"config, `--imports {module}` on the command line, or `import {module}` in Python before this call"
        )
    raise InputError(message + hint)


def to_spec(cls: type, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A class and its arguments as plain values, in the form that configs have.

    Args:
        cls: The class.
        arguments: Arguments of its constructor, plain values or specs.

    Returns:
        `{"class_path": ..., "init_args": {...}}`.
    """
    return {"class_path": class_name(cls), "init_args": dict(arguments)}


def build(spec: object, base: type[T], **context: object) -> T:
    """Build the object that a spec describes; specs among its arguments are built too, each to its annotated type.

    Args:
        spec: A mapping as `to_spec` returns it.
        base: The class is a concrete subclass of it.
        context: Further arguments of the constructor, which the file does not hold, such as the teachers.

    Raises:
        InputError: When the spec is not such a mapping, a class is not loaded, or the arguments do not fit.
    """
    if not _is_spec(spec):
        raise InputError(f"{base.__name__}: must be a mapping with class_path and init_args, got {spec!r}")
    cls = find_class(spec["class_path"], base)
    arguments = dict(spec.get("init_args") or {})
    for name, value in arguments.items():
        if _is_spec(value):
            arguments[name] = build(value, _annotated_class(cls, name))
    try:
        return cls(**context, **arguments)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{class_name(cls)}: the arguments {arguments} do not fit: {error}") from error


def _is_spec(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and isinstance(value.get("class_path"), str) and not value.keys() - _KEYS


_KEYS = {"class_path", "init_args"}


def _annotated_class(cls: type, argument: str) -> type[Any]:
    """The class in an argument's annotation, such as `Network` in `Network | None`."""
    annotation = get_type_hints(cls.__init__).get(argument)  # type: ignore[misc]  # of a class, not of an instance
    for candidate in (annotation, *get_args(annotation)):
        # Of `object` or `Any` a file could name every class that is loaded, and run it.
        if isinstance(candidate, type) and _package(candidate) in ("crossx", _package(cls)):
            return candidate
    raise InputError(f"{class_name(cls)}.{argument}: must be a plain value, got a class_path")


def _package(cls: type) -> str:
    return cls.__module__.partition(".")[0]
