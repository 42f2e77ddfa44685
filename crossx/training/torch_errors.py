"""Which argument of an optimiser or schedule torch complains about."""

import inspect
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
        zero = [f".{name}" for name in _given_zero(factory)]
        raise InputError(f"{field}{zero[0] if len(zero) == 1 else ''}: must not be 0") from error
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise InputError(f"{field}{argument_behind(error, factory)}: {error}") from error


def _given_zero(factory: Callable[..., Any]) -> list[str]:
    """Arguments of a factory that are 0, and not by default."""
    plain = plain_factory(factory)
    if not isinstance(plain, partial):
        return []
    usual = inspect.signature(plain.func).parameters
    return [n for n, value in plain.keywords.items() if value == 0 and (n not in usual or usual[n].default != 0)]


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
