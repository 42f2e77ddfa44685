"""Places in a config of the parts that refuse an argument: `dim` becomes `model.encoding.encoder.dim`.

A part knows the names of its arguments and not where it stands. The constructors that ran when it refused one tell.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from jsonargparse import Namespace

from crossx.core.errors import InputError

_CONSTRUCTORS = ("__init__", "__post_init__")


def placed(mistake: InputError, error: BaseException, config: Namespace) -> InputError:
    """The mistake with the place of its part in front, where the part and its argument are found; else as it is.

    Args:
        mistake: A user's mistake.
        error: What was raised, with the mistake among its causes.
        config: The parsed config.
    """
    part: Any = config
    place, owner, cls = "", None, None
    for cls, arguments in _under_construction(error):
        found = [(way, inner) for way, inner in _parts(part, place) if _names(inner, cls)]
        if len(found) > 1:
            found = [(way, inner) for way, inner in found if _is_given(inner.init_args, arguments)]
        if len(found) == 1:
            (place, part), owner = found[0], cls
    text = str(mistake)
    if owner is None:
        return InputError(f"model.{text}") if _first(text) in _arguments_of_model(config) else mistake
    known = inspect.signature(owner).parameters
    if _first(text) in known and (cls is owner or _first(text) == _TERMS):
        return InputError(f"{place}.{text}")
    rest = text.partition(".")[2]  # of a field that has the name of its part, such as `encoder.dim`
    of_part = cls is owner or place.endswith(_first(text))
    return InputError(f"{place}.{rest}") if of_part and _first(rest) in known else mistake


_TERMS = "terms"
"""What a module gives to its objective, which checks it, too."""


def _first(text: str) -> str:
    return re.split(r"[.: ]", text, maxsplit=1)[0]


def _arguments_of_model(config: Namespace) -> Mapping[str, object]:
    """Arguments of the root module; one without a class of its own, such as a schedule, is built before the module."""
    model = config.get("model")
    arguments = model.get("init_args") if isinstance(model, Namespace) else None
    return vars(arguments) if isinstance(arguments, Namespace) else {}


def _under_construction(error: BaseException) -> Iterator[tuple[type, Mapping[str, object]]]:
    """Classes whose constructors ran when an error was raised, the outermost first, each with its arguments."""
    cause: BaseException | None = error
    while cause is not None:
        step: TracebackType | None = cause.__traceback__
        while step is not None:
            frame = step.tb_frame
            if frame.f_code.co_name in _CONSTRUCTORS and "self" in frame.f_locals:
                yield type(frame.f_locals["self"]), frame.f_locals
            step = step.tb_next
        cause = cause.__cause__


def _parts(value: object, place: str) -> Iterator[tuple[str, Namespace]]:
    """The parts inside a value of a config, each with its place."""
    items = vars(value) if isinstance(value, Namespace) else value
    if isinstance(items, list):
        items = {f"{i}": child for i, child in enumerate(items)}
    for key, child in items.items() if isinstance(items, Mapping) else ():
        here = place if key == "init_args" else f"{place}.{key}".strip(".")
        if isinstance(child, Namespace) and "class_path" in child:
            yield here, child
        yield from _parts(child, here)


def _names(part: Namespace, cls: type) -> bool:
    return str(part.class_path).rpartition(".")[2] == cls.__name__ and isinstance(part.get("init_args"), Namespace)


def _is_given(init_args: Namespace, arguments: Mapping[str, object]) -> bool:
    """Whether a constructor got the plain values of a part."""
    plain = {name: value for name, value in vars(init_args).items() if isinstance(value, int | float | str)}
    return all(arguments.get(name) == value for name, value in plain.items())
