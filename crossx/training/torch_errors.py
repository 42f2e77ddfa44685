"""Which argument of an optimiser or schedule torch complains about."""

import inspect
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from crossx.core.errors import InputError
from crossx.core.factories import plain_factory

_WORDS = {"learning rate": "lr", "epsilon": "eps", "beta parameter": "betas", "beta": "betas"}
"""How torch's messages call some arguments."""


@contextmanager
def named_errors(field: str, factory: Callable[..., Any]) -> Iterator[None]:
    """Turn torch's own checks of an optimiser or schedule, such as that of a negative rate, into a user's mistake.

    Args:
        field: Where the user set the optimiser or schedule.
        factory: What makes it.

    Raises:
        InputError: When torch refuses an argument, with its name where the message tells it.
    """
    try:
        yield
    except ZeroDivisionError as error:  # torch divides by some lengths without a check
        raise InputError(f"{field}{_the_one(factory, lambda value: value == 0)}: must not be 0") from error
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise InputError(f"{field}{argument_behind(error, factory)}: {error}") from error


def given_below_zero(factory: Callable[..., Any]) -> str:
    """Name the argument of a factory that is negative or not finite, with a dot before it; empty where it is not one."""
    return _the_one(factory, lambda value: isinstance(value, int | float) and not 0 <= value < math.inf)


def _the_one(factory: Callable[..., Any], wrong: Callable[[Any], bool]) -> str:
    """The one argument of a factory that is wrong, and not by default."""
    plain = plain_factory(factory)
    if not isinstance(plain, partial):
        return ""
    usual = inspect.signature(plain.func).parameters
    defaults = {name: parameter.default for name, parameter in usual.items()}
    found = [n for n, value in plain.keywords.items() if wrong(value) and not wrong(defaults.get(n))]
    return f".{found[0]}" if len(found) == 1 else ""


def argument_behind(error: Exception, factory: Callable[..., Any]) -> str:
    """Name the argument that an error of torch is about, with a dot before it; empty where the message names none.

    Args:
        error: Such as `ValueError: Invalid learning rate: -1.0`.
        factory: What makes the optimiser or schedule.
    """
    text = str(error)
    for words, name in _WORDS.items():
        text = re.sub(rf"\b{words}\b", name, text)
    names = inspect.signature(plain_factory(factory)).parameters
    return next((f".{name}" for name in names if re.search(rf"\b{name}\b", text)), "")
