"""Errors with which Lightning refuses its own settings, as one line that names the option.

An error of crossx or of a user's class stays what it is: a bug keeps its traceback.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import lightning.pytorch as pl
from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException

from crossx.core.errors import InputError

CHECKS = (MisconfigurationException, ValueError, TypeError, ImportError, ZeroDivisionError, RuntimeError)
"""What Lightning raises where a setting is wrong."""
_LIBRARIES = ("lightning", "torch")
_CLASS = re.compile(r"Problem with given class_path '([\w.]+)'")
_ARGUMENTS = tuple(inspect.signature(pl.Trainer.__init__).parameters)[1:]


def refused_part(error: Exception, trainer: Namespace) -> InputError | None:
    """The user's mistake behind an error that a logger, plugin or other part of Lightning raised when it was built.

    Args:
        error: What the parser raised.
        trainer: The trainer's arguments.
    """
    named = _CLASS.findall(str(error))
    cause = _cause(error)
    if not named or named[-1].partition(".")[0] not in _LIBRARIES or not isinstance(cause, CHECKS):
        return None
    places = [option for option, value in vars(trainer).items() if named[-1] in _classes(value)]
    place = ".".join(("trainer", *places[:1]))
    return InputError(f"{place}: {named[-1].rpartition('.')[2]} cannot be built: {_one_line(cause)}")


def refused_trainer(error: Exception) -> InputError | None:
    """The user's mistake behind an error that Lightning's trainer raised when it was built."""
    if not isinstance(error, CHECKS) or _package(error) == "crossx":
        return None
    argument = "max_time" if "Timer(" in str(error) else _argument(error)
    return InputError(f"{'.'.join(filter(None, ('trainer', argument)))}: {_one_line(error)}")


def refused_setting(error: Exception) -> InputError | None:
    """The user's mistake behind an error of a run: Lightning's own refusal, which names an argument of the trainer."""
    if isinstance(error, MisconfigurationException):  # also a verb that Lightning cannot serve with this model
        argument = _argument(error)
        return InputError(f"trainer.{argument}: {_one_line(error)}" if argument else str(error))
    if isinstance(error, CHECKS) and _package(error) == "lightning" and (argument := _argument(error)):
        return InputError(f"trainer.{argument}: {_one_line(error)}")
    return None


def _argument(error: Exception) -> str:
    """The argument of the trainer that a message names in backticks first."""
    found = re.search(rf"`(?:Trainer\()?({'|'.join(_ARGUMENTS)})\b", str(error))
    return found[1] if found else ""


def _cause(error: BaseException) -> BaseException:
    """What a part raised, behind what the parser made of it."""
    while _package(error) == "jsonargparse" and error.__cause__ is not None:
        error = error.__cause__
    return error


def _package(error: BaseException) -> str:
    """The package whose code raised an error."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return "" if step is None else str(step.tb_frame.f_globals.get("__name__", "")).partition(".")[0]


def _classes(value: object) -> Iterator[str]:
    """Paths of the classes inside a value of a config."""
    if isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, Mapping):
        yield str(value.get("class_path", ""))
    inner: Any = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in inner:
        yield from _classes(child)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
