"""One readable message out of what a parser says about a mistake.

jsonargparse wraps an error once for every level of the config, and quotes the whole config around it. The errors are
chained, so the levels can be read from the outside to the inside, down to the one that says what is wrong.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import get_type_hints

from crossx.core.errors import InputError

_KEY = re.compile(r'Parser key "([^"]+)"')
_CLASS = re.compile(r"Problem with given class_path '([^']+)'")
_UNKNOWN_CLASS = "Expected a dot import path string: "
_UNKNOWN_OPTION = re.compile(r"(?:Group '(?P<group>\S+)' does not accept option|Option) '(?P<option>[^']+)'")
_UNRECOGNIZED = "unrecognized arguments: "


def explain(error: BaseException, verb: str = "fit") -> str:
    """Say where a config is wrong, what is wrong, and what is legal.

    Args:
        error: What the parser raised, with its causes.
        verb: The command, whose `--help` has what is legal.

    Returns:
        One line, such as `model.schedule.warmup: Expected int. Got value: x`.
    """
    keys: list[str] = []
    owner = message = ""
    for cause in _chain(error):
        if isinstance(cause, InputError):
            return str(cause)
        text = str(cause)
        if text == message:
            continue  # wrapped without a word of its own
        message = text
        if text.startswith("Problems parsing config"):
            break  # what follows no longer says that a config is meant
        if key := _KEY.match(text):
            keys.append(key[1])
        elif named := _CLASS.match(text):
            owner = named[1]
    message = re.sub(r"(?:a )?<class '([\w.]+)'>", r"\1", " ".join(message.split()))
    if message.startswith(_UNKNOWN_CLASS):
        name = message.removeprefix(_UNKNOWN_CLASS)
        message = f"class {name!r} is not known; legal are the names of crossx's classes, and full paths of others"
    elif unknown := _unknown_options(message):
        legal = _legal(unknown[0], owner) if owner else f"`crossx {verb} --help` lists the legal ones"
        message = (
            f"{' and '.join(map(repr, unknown))} {'are not options' if unknown[1:] else 'is not an option'}; {legal}"
        )
    return ": ".join([".".join(keys), message] if keys else [message])


def input_error_behind(error: BaseException) -> InputError | None:
    """The user's mistake among the causes of an error, if there is one."""
    return next((cause for cause in _chain(error) if isinstance(cause, InputError)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _unknown_options(message: str) -> list[str]:
    if unknown := _UNKNOWN_OPTION.match(message):
        return [".".join(filter(None, [unknown["group"], unknown["option"]]))]
    if message.startswith(_UNRECOGNIZED):
        words = message.removeprefix(_UNRECOGNIZED).split()
        return [word.removeprefix("--").partition("=")[0] for word in words if word.startswith("--")] or words
    return []


def _legal(option: str, class_path: str) -> str:
    """The names that may stand in the place of an option's last part."""
    module, _, name = class_path.rpartition(".")
    owner = getattr(sys.modules[module], name)
    for group in option.split(".")[:-1]:
        inner = get_type_hints(owner.__init__).get(group)
        if not (isinstance(inner, type) and is_dataclass(inner)):
            break
        owner = inner
    return f"legal for {owner.__name__}: {', '.join(inspect.signature(owner).parameters)}"
