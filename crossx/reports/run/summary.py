"""Reading `results.json`, and printing it as a table; imports nothing heavy."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.reports.run.remarks import remarks, title

_COUNTS = ("queries_without_relevant",)


def read_results(path: str | Path, field: str) -> dict[str, Any]:
    """Read the `results.json` of a run.

    Args:
        path: The file.
        field: Config field or option that names it, for the message.

    Raises:
        InputError: When the file does not exist, or is not the `results.json` of a run.
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


def print_results(results: dict[str, Any], path: Path | None) -> None:
    """Print a run beside its baselines.

    Args:
        results: Content of `results.json`.
        path: The file; None for a try-out, which writes none.
    """
    runs = {"this run": results["metrics"], "at step 0": results["at_start"], **results["baselines"]}
    # The number of queries that are left out is no measure, and stands in a line of its own.
    print_table(title(results), {n: {m: v for m, v in run.items() if m not in _COUNTS} for n, run in runs.items()})
    for name, i in results["differences"].items():
        print(  # noqa: T201 - belongs to the table
            f"map_all minus {name}: {i['difference']:+.4f}, 95 % of resamples in [{i['low']:+.4f}, {i['high']:+.4f}]"
        )
    for line in remarks(results):
        Console().print(line, markup=False, highlight=False)  # folded to the width of the table
    if path is not None:
        print(f"run folder: {path.parent.resolve()}", flush=True)  # noqa: T201 - what the user looks for


def print_table(title: str, runs: Mapping[str, Mapping[str, float | None]]) -> None:
    """Print metrics down and runs across, so that the table is no wider than a terminal; empty runs are left out.

    Args:
        title: Line above the table.
        runs: Name of a run to metric to value, None for a value that is no number; the first run names all metrics.
    """
    shown = {name: metrics for name, metrics in runs.items() if metrics}
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for name in shown:
        table.add_column(name, justify="right")
    for metric in next(iter(runs.values())):
        values = [metrics.get(metric) for metrics in shown.values()]
        table.add_row(metric, *("" if value is None else f"{value:.3f}" for value in values))
    Console().print(table)
