"""Which argument of an optimiser or schedule torch complains about."""

import inspect
import re
from collections.abc import Callable
from typing import Any

from crossx.core.factories import plain_factory

_WORDS = {"learning rate": "lr", "epsilon": "eps", "beta parameter": "betas", "beta": "betas"}
"""How torch's messages call some arguments."""


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
