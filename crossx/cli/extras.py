"""Packages that only some commands need."""

from collections.abc import Iterator
from contextlib import contextmanager

from crossx.core.errors import InputError


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Say what to install where an import in the block fails for a package that crossx does not always bring.

    Args:
        extra: Name of the group of packages in pyproject.toml.

    Raises:
        InputError: When a package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "crossx":
            raise
        raise InputError(f'{error.name} must be installed for this command: pip install "crossx[{extra}]"') from error
