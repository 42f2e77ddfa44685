"""Which argument of an optimiser or schedule torch complains about."""

import inspect
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

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
    except (ValueError, TypeError, IndexError, OverflowError, RuntimeError) as error:
        raise InputError(f"{field}{argument_behind(error, factory)}: {error}") from error


def check_first_step(field: str, factory: Callable[..., Any], like: Tensor, with_closure: bool) -> None:
    """Take one step of an optimiser on a small parameter: some refuse only there (`SparseAdam`, `LBFGS`).

    Args:
        field: Where the user set the optimiser.
        factory: What makes it.
        like: One of the parameters that it is to train, for device and number format.
        with_closure: Whether steps get a closure, which only a module that trains alone gives.

    Raises:
        InputError: When torch refuses the step, with its reason.
    """
    parameter = nn.Parameter(torch.zeros(2, 2, device=like.device, dtype=like.dtype))
    parameter.grad = torch.ones_like(parameter)
    optimizer = factory([{"params": [parameter]}])
    closure = {"closure": lambda: torch.ones((), device=like.device)} if with_closure else {}
    try:
        optimizer.step(**closure)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        if not _is_of_torch(error):  # a bug of a user's own optimiser
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        if "closure" in reason:
            reason = "its steps need a closure, and here every batch is one forward, one backward and one step"
        name = type(optimizer).__name__
        raise InputError(f"{field}: must take a step on dense gradients, which {name} refuses: {reason}") from error


def _is_of_torch(error: BaseException) -> bool:
    """Whether code of torch has raised an error."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return step is not None and str(step.tb_frame.f_globals.get("__name__", "")).startswith("torch.")


def given_below_zero(factory: Callable[..., Any]) -> str:
    """Name the one argument of a factory that is negative or not finite, with a dot before it; else empty."""
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
