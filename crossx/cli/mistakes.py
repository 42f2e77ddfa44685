"""One readable message out of what a parser says about a mistake.

jsonargparse wraps an error once for every level of the config, and quotes the whole config around it. The errors are
chained, so the levels can be read from the outside to the inside, down to the one that says what is wrong.
"""

import inspect
import re
import sys
from collections.abc import Iterator

from crossx.errors import InputError

_KEY = re.compile(r'Parser key "([^"]+)"')
_CLASS = re.compile(r"Problem with given class_path '([^']+)'")
_UNKNOWN_IN_GROUP = re.compile(r"Group '(\w+)' does not accept option '(\w+)'")
_UNKNOWN_CLASS = "Expected a dot import path string: "
_UNKNOWN_OPTION = re.compile(r"Option '\S+' is not accepted|unrecognized arguments")


def explain(error: BaseException) -> str:
    """Say where a config is wrong, what is wrong, and what is legal.

    Args:
        error: What the parser raised, with its causes.

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
    elif unknown := _UNKNOWN_IN_GROUP.match(message):
        message = f"'{unknown[1]}.{unknown[2]}' is not an option; {_listed(keys, owner)}"
    elif _UNKNOWN_OPTION.search(message):
        legal = f"legal for {_name(owner)}: {', '.join(_options(owner))}" if owner else _listed(keys, owner)
        message += f"; {legal}"
    return ": ".join([".".join(keys), message] if keys else [message])


def input_error_behind(error: BaseException) -> InputError | None:
    """The user's mistake among the causes of an error, if there is one."""
    return next((cause for cause in _chain(error) if isinstance(cause, InputError)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _listed(keys: list[str], owner: str) -> str:
    asked = f"--{'.'.join(keys)}.help {_name(owner)}" if owner else "--help"
    return f"`crossx fit {asked}` lists the legal ones"


def _name(class_path: str) -> str:
    return class_path.rpartition(".")[2]


def _options(class_path: str) -> list[str]:
    module, _, name = class_path.rpartition(".")
    return list(inspect.signature(getattr(sys.modules[module], name)).parameters)
