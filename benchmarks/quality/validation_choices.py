"""The table of what each row of a page owes to the labels of validation images."""

from collections.abc import Sequence

from benchmarks.quality.store import Result
from benchmarks.quality.tables import Results, cells
from benchmarks.quality.types import Benchmark, Row
from crossx.evaluation.posterior import TEMPERATURES
from crossx.reports.run.remarks import matching

_ABOUT = (
    "What each row owes to the *labels of validation images*: its values, and out of which they were chosen. Posterior "
    "matching chooses for each teacher pair, on validation images of the classes and the data set that the row is "
    "measured on; all other values are the same for all pairs. Two choices stand behind all rows and are not listed: "
    "teachers keep the epoch with the highest accuracy on their validation images, and recipes come from trials on "
    "validation images (docs/experiments.md). Nothing else is chosen by labels: the number of a fit's steps is fixed, "
    "and its last weights are measured."
)
_POSTERIOR = (
    f"form and temperatures (dot or bhattacharyya, each side at one of {', '.join(f'{t:g}' for t in TEMPERATURES)}; or "
    "logit_cosine)"
)


def chosen_on_validation(benchmark: Benchmark, results: Results) -> str:
    """The table with its heading, rows with equal choices in one line; empty where nothing has been measured.

    Args:
        benchmark: The benchmark.
        results: What has been measured.
    """
    tables = [table for table in benchmark.tables if any(c.measured or c.failed for c in cells(table, results))]
    rows = {row.name: row for table in tables for row in table.rows}
    if not rows:
        return ""
    lines: dict[str, list[str]] = {}
    for name, row in rows.items():
        lines.setdefault(_choices(row, results.get(name, ())), []).append(f"`{name}`")
    grid = [f"| {', '.join(names)} | {text} |" for text, names in lines.items()]
    head = ["| rows | chosen by the labels of validation images |", "| --- | --- |"]
    return "\n\n".join(["## Chosen on validation", _ABOUT, "\n".join([*head, *grid])]) + "\n"


def _choices(row: Row, results: Sequence[Result]) -> str:
    """What was chosen for a row, in one line."""
    found = [f"{name}: {value}" for name, value in row.chosen.items()]
    if row.baseline == "posterior":
        pairs = [_of_pair(result) for result in results if result.posterior]
        found.append(f"{_POSTERIOR}: {'; '.join(pairs) or 'not measured'}")
    return "; ".join(found) or "nothing of its own"


def _of_pair(result: Result) -> str:
    """Posterior matching of one teacher pair."""
    text = f"pair {result.seed} {matching(result.posterior)}"
    fixed = result.posterior["fixed_because"]
    return text if fixed is None else f"{text}, fixed and not chosen ({fixed})"
