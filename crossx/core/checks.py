"""Checks of arguments: one line that names the field, what it must be, and what was given."""

import math
from collections.abc import Iterable
from difflib import get_close_matches

from crossx.core.errors import InputError


def must_be_in(field: str, value: float, interval: str) -> None:
    """Refuse a number outside of an interval; NaN is outside of every one.

    Args:
        field: Where the user set the number, such as `temperature`.
        value: The number.
        interval: Mathematical notation, such as `(0, 1]` or `[1, inf)`.

    Raises:
        InputError: When the number is outside.
    """
    least, most = (float(bound) for bound in interval[1:-1].split(","))
    above = value > least if interval[0] == "(" else value >= least
    below = value < most if interval[-1] == ")" else value <= most
    if above and below:
        return
    if (least, most) == (-math.inf, math.inf):
        legal = "finite"
    elif most == math.inf:
        legal = f"{'above' if interval[0] == '(' else 'at least'} {least:g}" + (
            " and finite" if value == math.inf else ""
        )
    else:
        legal = f"in {interval}"
    raise InputError(f"{field}: must be {legal}, got {value}")


def must_be_one_of(field: str, value: object, legal: Iterable[object]) -> None:
    """Refuse a value that is none of a few.

    Args:
        field: Where the user set the value.
        value: The value.
        legal: What it must be one of.

    Raises:
        InputError: When it is none of them, with the nearest one.
    """
    choices = list(legal)
    if value not in choices:
        names = ", ".join(map(str, choices))
        raise InputError(f"{field}: must be one of {names}; got {value!r}{did_you_mean(str(value), choices)}")


def some(names: Iterable[object], near: str | None = None, most: int = 12) -> str:
    """Names with commas between them; of more than `most`, five and the number of the others.

    Args:
        names: All names.
        near: A name that a user gave: those most similar to it come first.
        most: Largest number of names that are all shown.
    """
    words = [str(name) for name in names]
    if len(words) <= most:
        return ", ".join(words)
    shown = [] if near is None else get_close_matches(near, words, n=_SHOWN)
    shown = [*shown, *(word for word in words if word not in shown)][:_SHOWN]
    return f"{', '.join(shown)} and {len(words) - len(shown)} more"


_SHOWN = 5


def did_you_mean(name: str, legal: Iterable[object]) -> str:
    """` (did you mean 'x'?)` with the most similar legal name, or nothing where none is similar."""
    close = get_close_matches(name, [str(choice) for choice in legal], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
