"""Checks of plain values in files of a search, which come from strangers."""

import math
from collections.abc import Callable
from typing import Any

from crossx.core.errors import InputError


def want(place: str, key: str, value: Any, legal: Callable[[Any], bool], description: str) -> None:  # noqa: ANN401
    """Refuse a value.

    Args:
        place: What the value stands in, such as `card`.
        key: Its name.
        value: The value, of any type.
        legal: Whether a value is legal.
        description: What it must be.

    Raises:
        InputError: When it is not legal.
    """
    if not legal(value):
        shown = repr(value)
        raise InputError(f"{place}: {key}: must be {description}, got {shown[:80]}{'...' if len(shown) > 80 else ''}")


def is_number(value: object) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_text(value: object) -> bool:
    """Whether a value is a text that is not blank."""
    return isinstance(value, str) and value.strip() != ""
