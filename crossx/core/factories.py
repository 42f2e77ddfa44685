"""Parts that are complete after their constructor: instances, or factories that still need their context.

A config gives a part that needs nothing as an instance. A part that needs, say, the teachers takes them as the first
arguments of its constructor; a config then gives everything else, jsonargparse makes a factory of it, and the module
that knows the teachers calls the factory. From Python such a factory is `functools.partial(Part, option=1)`.

jsonargparse also makes a factory of a part that needs nothing, where its constructor refuses an argument: the factory
is called without context then, and the constructor's own message reaches the user.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from torch import nn

from crossx.core.errors import InputError

PartT = TypeVar("PartT")


def complete(field: str, part: PartT | Callable[..., PartT], kind: type[PartT], **context: Any) -> PartT:  # noqa: ANN401 - each kind of part has its own context
    """Return a part itself, or what its factory builds in a context.

    Args:
        field: Where the user named the part, for messages.
        part: The part, or a factory that takes as much of the context as it needs.
        kind: Class that the part must be of.
        context: What the module knows and the config does not, by the names of the factory's arguments.

    Raises:
        InputError: When an argument is missing, or the factory builds something else.
    """
    if isinstance(part, kind):
        return part
    if isinstance(part, nn.Module) or not callable(part):  # a module can be called, and is no factory
        raise InputError(f"{field}: must be or build an instance of {kind.__name__}, got {type(part).__name__}")
    factory = plain_factory(part)
    name = _name(factory)
    try:
        signature = inspect.signature(factory)
    except ValueError as error:  # a function of C, or a partial whose arguments the function does not take
        raise InputError(f"{field}: must build an instance of {kind.__name__}, got {name} ({error})") from error
    needed = {argument: value for argument, value in context.items() if argument in signature.parameters}
    try:
        signature.bind(**needed)
    except TypeError as error:
        raise InputError(f"{field}: {name}: {error}{_missing(signature, needed)}") from error
    built = factory(**needed)
    if not isinstance(built, kind):
        raise InputError(f"{field}: must build an instance of {kind.__name__}, got {type(built).__name__} from {name}")
    return built


def plain_factory(factory: Callable[..., Any]) -> Callable[..., Any]:
    """Return a factory whose signature can be read.

    jsonargparse gives a partial of its own instantiator with the class as an argument; the same partial of the class
    itself builds the same object.
    """
    if isinstance(factory, partial) and factory.func.__module__.startswith("jsonargparse"):
        (cls,) = (argument for argument in factory.args if isinstance(argument, type))
        return partial(cls, **factory.keywords)
    return factory


def _name(factory: Callable[..., Any]) -> str:
    function = factory.func if isinstance(factory, partial) else factory
    return str(getattr(function, "__name__", type(function).__name__))


def _missing(signature: inspect.Signature, context: dict[str, Any]) -> str:
    """Name the arguments that the config has to give."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = signature.parameters.values()
    wanted = [p.name for p in parameters if p.default is p.empty and p.kind in named and p.name not in context]
    return f"; init_args must name {', '.join(wanted)}" if wanted else ""
