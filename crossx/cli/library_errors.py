"""Errors with which Lightning refuses its own settings, as one line that names the option.

An error of crossx or of a user's class stays what it is: a bug keeps its traceback.
"""

import inspect
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException

from crossx.cli.config_places import placed
from crossx.cli.mistakes import input_error_behind
from crossx.core.errors import InputError

CHECKS = (
    MisconfigurationException,
    ValueError,
    TypeError,
    ImportError,
    RuntimeError,
    AttributeError,
    ZeroDivisionError,
)
"""What Lightning raises where a setting is wrong."""
_NAMED = re.compile(r"Problem with given class_path '([\w.]+)'|class_path='([\w.]+)'")
_LIBRARIES = ("lightning", "torch")
_AROUND = ("Does not validate", "Subtypes:", "Errors:", "Expected a <class", "Problem with given", "Given value")
"""What the parser writes around the reason."""
_ARGUMENTS = tuple(inspect.signature(pl.Trainer.__init__).parameters)[1:]
_PLACES = {
    "callbacks": "callbacks",
    "utilities.model_summary": "callbacks",
    "tuner": "callbacks",
    "loggers": "logger",
    "profilers": "profiler",
    "strategies": "strategy",
    "plugins": "plugins",
    "accelerators": "accelerator",
}
"""Part of Lightning to the argument of the trainer that names it."""


@contextmanager
def named_parts(config: Namespace) -> Iterator[None]:
    """Turn an error of a logger, plugin or other part while it is built into a user's mistake that names its place."""
    try:
        yield
    except ValueError as error:
        found = input_error_behind(error)
        mistake = placed(found, error, config) if found else refused_part(error, config.trainer)
        if mistake is None:
            raise
        raise mistake from error


@contextmanager
def named_arguments() -> Iterator[None]:
    """Turn an error of Lightning's trainer while it is built into a user's mistake."""
    try:
        yield
    except CHECKS as error:
        mistake = refused_trainer(error)
        if mistake is None:
            raise
        raise mistake from error


def refused_part(error: Exception, trainer: Namespace) -> InputError | None:
    """The user's mistake behind an error that a logger, plugin or other part of Lightning raised when it was built.

    Args:
        error: What the parser raised.
        trainer: The trainer's arguments.
    """
    names = [one or other for one, other in _NAMED.findall(str(error))]
    if not names or any(name.partition(".")[0] not in _LIBRARIES for name in names):
        return None
    name, lines = names[0], [line.strip().removeprefix("- ") for line in str(error).splitlines()]
    reason = " ".join(line for line in lines if not line.startswith(_AROUND))
    places = [option for option, value in vars(trainer).items() if name in _classes(value)]
    return InputError(f"{'.'.join(('trainer', *places[:1]))}: {name.rpartition('.')[2]} cannot be built: {reason}")


def refused_trainer(error: Exception) -> InputError | None:
    """The user's mistake behind an error of Lightning's trainer when it was built."""
    if _last_frame(error)[0].partition(".")[0] == "crossx":
        return None
    argument = "max_time" if "Timer(" in str(error) else _argument(error)
    return InputError(f"{'.'.join(filter(None, ('trainer', argument)))}: {_one_line(error)}")


def refused_setting(error: Exception) -> InputError | None:
    """The user's mistake behind an error of a run: one that Lightning raises by itself, about one of its settings."""
    module, raises = _last_frame(error)
    argument = _argument(error)
    if isinstance(error, MisconfigurationException):
        # Also a verb that Lightning cannot serve with this model.
        place = argument or _part(module)
        return InputError(f"trainer.{place}: {_one_line(error)}" if place else str(error))
    place = _part(module) or (argument if module.startswith("lightning.") else "")
    return InputError(f"trainer.{place}: {_one_line(error)}") if place and raises else None


def _part(module: str) -> str:
    """The argument of the trainer that a module of Lightning belongs to."""
    parts = (argument for part, argument in _PLACES.items() if module.startswith(f"lightning.pytorch.{part}"))
    return next(parts, "")


def _argument(error: Exception) -> str:
    """The argument of the trainer that a message names in backticks first."""
    found = re.search(rf"`(?:Trainer\()?({'|'.join(_ARGUMENTS)})\b", str(error))
    return found[1] if found else ""


def _last_frame(error: BaseException) -> tuple[str, bool]:
    """The module that raised an error, and whether by a statement of its own."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    if step is None:
        return "", False
    frame, last = step.tb_frame, traceback.extract_tb(step)[-1]
    return str(frame.f_globals.get("__name__", "")), (last.line or "").startswith("raise ")


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
