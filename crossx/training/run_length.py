"""Lengths within a run: numbers of batches, or shares of the whole run."""

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError

Length = int | float
"""A whole number counts batches; a fraction from 0 to 1 (written with a decimal point) is a share of the run."""


def check_length(field: str, length: Length) -> None:
    """Refuse a length that can be neither a number of batches nor a share.

    Raises:
        InputError: When a number of batches is negative, or a share is outside [0, 1].
    """
    if isinstance(length, float):
        must_be_in(f"{field} (a share of the run)", length, "[0, 1]")
    else:
        must_be_in(field, length, "[0, inf)")


def in_batches(field: str, length: Length, total: int | None) -> int:
    """Turn a length into a number of batches.

    Args:
        field: Where the user set the length.
        length: Number of batches, or share of the run.
        total: Batches of the whole run.

    Raises:
        InputError: When a share is given and the run has no known length.
    """
    if not isinstance(length, float):
        return length
    if total is None:
        raise InputError(
            f"{field}: {length} is a share of the run, whose length is not known; set trainer.max_steps, or give a "
            "number of batches"
        )
    return round(length * total)
