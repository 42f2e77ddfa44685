"""Resolved configs of command lines, and the data sets that configs name, without training or teachers."""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from jsonargparse import ArgumentParser

from crossx.cli.training import parse
from crossx.core.errors import InputError
from crossx.data.base import RetrievalData

ONE_AT_A_TIME = threading.RLock()
"""Reading a config changes the working directory and the logging level, which threads share."""


def resolved_config(argv: Sequence[str]) -> dict[str, Any]:
    """Resolved config of a command line: files, overrides and defaults together.

    Args:
        argv: Command line, starting with the subcommand.

    Raises:
        InputError: For a user's mistake.
    """
    with ONE_AT_A_TIME:
        before = logging.root.manager.disable
        logging.disable(logging.INFO)
        try:
            return parse(argv)
        finally:
            logging.disable(before)


def data_of(config: Mapping[str, Any]) -> RetrievalData | None:
    """Data set that a resolved config names; None where it names none.

    Raises:
        InputError: When one of its files is missing or malformed.
    """
    spec = config.get("dataset") or config.get("data", {}).get("init_args", {}).get("dataset")
    if spec is None:
        return None
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(RetrievalData, "dataset")
    try:
        parsed = parser.parse_object({"dataset": dict(spec)})
        with ONE_AT_A_TIME:
            found: RetrievalData = parser.instantiate(parsed).dataset
    except ValueError as error:
        raise InputError(f"dataset: {error}") from error
    return found
