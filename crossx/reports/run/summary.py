"""Reading `results.json` and printing it as a table; imports nothing heavy."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from crossx.core.errors import InputError
from crossx.core.paths import resolve

_LEAST_WIDTH = 132
"""Columns; a log file has no width of its own, and seven metrics beside the longest name of a row take 119."""


def read_results(path: str | Path, field: str) -> dict[str, Any]:
    """Read the `results.json` of a run.

    Args:
        path: The file.
        field: Config field or option that names it, for the message.

    Raises:
        InputError: When it does not exist or is no such file.
    """
    file = resolve(path, field)
    try:
        results: dict[str, Any] = json.loads(file.read_text())
        results["metrics"]["map_all"], results["split"]
        for value in results.get("ap_all", []):
            if not (value is None or isinstance(value, float | int)):
                raise TypeError(f"ap_all: {value!r} is no number")
    except (OSError, KeyError, TypeError, ValueError) as error:  # ValueError: no text, or no JSON
        raise InputError(f"{field}: {file} is not the results.json of a crossx run ({error!r})") from error
    return results


def print_table(title: str, rows: Mapping[str, Mapping[str, float | None]]) -> None:
    """Print metrics by the names of their rows; empty rows are left out.

    Args:
        title: Line above the table.
        rows: Row name to metric name to value, None for one that is no number; the first row names all metrics.
    """
    names = list(next(iter(rows.values())))
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for label, metrics in rows.items():
        if metrics:
            values = [metrics.get(name) for name in names]
            table.add_row(label, *("" if value is None else f"{value:.3f}" for value in values))
    console = Console()
    Console(width=max(console.width, _LEAST_WIDTH)).print(table)
