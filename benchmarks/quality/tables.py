"""Tables of results: means over seeds, and differences to other rows with their intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import torch

from benchmarks.quality.store import Result
from benchmarks.quality.types import Benchmark, Row, Table
from crossx.evaluation.results import Interval, paired_bootstrap, paired_ratio
from crossx.reports.run.remarks import matching

Results = Mapping[str, Sequence[Result]]
"""Row name to its results, a seed each."""

_PAIRS = {
    "recon/agreement": "synthetic pairs agree",
    "recon/photo_diversity": "photo diversity",
    "recon/sketch_diversity": "sketch diversity",
}
_START = "\N{DAGGER}"
"""Mark of rows that owe most of their mAP@all to their teachers' common start."""
_ABOUT_START = (
    "both teachers start from the same weights, and that is where most of its mAP@all comes from: with starts of their "
    "own little is left of it (docs/experiments.md, 'What teachers' common start is worth')."
)


@dataclass(frozen=True)
class Cells:
    """Results of one row that a table shows.

    Attributes:
        row: The row.
        measured: Its figures, of the table's seeds.
        failed: Its failures.
    """

    row: Row
    measured: tuple[Result, ...]
    failed: tuple[Result, ...]


def cells(table: Table, results: Results) -> list[Cells]:
    """The results that a table shows, row by row."""
    rows = []
    for row in table.rows:
        found = [r for r in results.get(row.name, []) if r.seed < table.seeds]
        rows.append(Cells(row, tuple(r for r in found if not r.failed), tuple(r for r in found if r.failed)))
    return rows


def compared(
    statistic: Callable[..., Interval],
    results: Sequence[Result],
    others: Sequence[Result],
    group: Sequence[str] = (),
    of_classes: bool = False,
) -> Interval | None:
    """A statistic of two rows' average precisions with its 95 % interval, over queries.

    A query's value is its mean over the seeds that both rows have: the interval covers other queries, with these
    teachers.

    Args:
        statistic: `paired_bootstrap` for the difference, `paired_ratio` for the ratio.
        results: A row's results.
        others: The other row's.
        group: Classes whose queries count; all where it is empty.
        of_classes: Whether to resample classes with all their queries in place of queries.

    Returns:
        None where the rows have no seed in common, or were measured on different queries.
    """
    mine, theirs = {r.seed: r for r in results}, {r.seed: r for r in others}
    seeds = sorted(mine.keys() & theirs.keys())
    if not seeds:
        return None
    if any((mine[s].labels, mine[s].classes) != (theirs[s].labels, theirs[s].classes) for s in seeds):
        return None
    a, b = (average_precisions([side[seed] for seed in seeds]) for side in (mine, theirs))
    first = mine[seeds[0]]
    counted = _queries_of(first, group)
    classes = torch.tensor(first.labels)[counted] if of_classes else None
    return statistic(a[counted], b[counted], classes=classes)


def average_precisions(results: Sequence[Result], group: Sequence[str] = ()) -> torch.Tensor:
    """Average precision of each query, the mean over seeds, (Q,); NaN where nothing is relevant.

    Args:
        results: Results of one row on the same queries.
        group: Classes whose queries count; all where it is empty.
    """
    values = [[float("nan") if ap is None else ap for ap in result.ap_all] for result in results]
    return torch.tensor(values, dtype=torch.float64).mean(0)[_queries_of(results[0], group)]


def _queries_of(result: Result, group: Sequence[str]) -> list[int]:
    """Positions of the queries of a group of classes; all where it is empty."""
    return [i for i, label in enumerate(result.labels) if not group or result.classes[label] in group]


def markdown(benchmark: Benchmark, table: Table, results: Results) -> str:
    """One table with its heading; empty where nothing of it has been measured.

    Args:
        benchmark: The benchmark.
        table: Which of its tables.
        results: What has been measured.
    """
    shown = cells(table, results)
    if not any(c.measured or c.failed for c in shown):
        return ""
    marks: dict[str, str] = {}
    for c in shown:
        if c.row.training_images:
            marks.setdefault(c.row.training_images, r"\*" * (len(marks) + 1))
    lines = [_line(c, benchmark, table, results, marks.get(c.row.training_images, "")) for c in shown]
    # A row that was measured has all columns; those that are empty in all rows are left out.
    headings = [name for name in max(lines, key=len) if not name or any(line.get(name) for line in lines)]
    grid = [headings, ["---", *["---:"] * (len(headings) - 1)]]
    grid += [[line.get(name, "") for name in headings] for line in lines]
    text = "\n".join(f"| {' | '.join(line)} |" for line in grid)
    notes = [f"{mark} not data-free: {why}." for why, mark in marks.items()]
    if alike := [f"`{c.row.name}`" for c in shown if c.row.owes_to_start]:
        notes.append(f"{_START} {', '.join(alike)}: {_ABOUT_START}")
    if commits := sorted({made for c in shown for r in c.measured for made in r.teachers_made_with.values()}):
        notes.append(f"Teachers were trained at commit{'s' * (len(commits) > 1)} {', '.join(commits)}.")
    notes += [f"`{c.row.name}`, seed {r.seed}, failed: {' '.join(r.failed.split())}" for c in shown for r in c.failed]
    return "\n\n".join([f"## {table.title}", table.about, text, *notes]) + "\n"


def _line(c: Cells, benchmark: Benchmark, table: Table, results: Results, mark: str) -> dict[str, str]:
    """Heading -> text of one row; figures only where the row was measured."""
    maps, title = _map_all(c.measured), f"{c.row.title}{_posterior(c.measured)}"
    line = {
        "": " ".join(filter(None, [title, mark, _START if c.row.owes_to_start else ""])),
        "row": f"`{c.row.name}`",
        "map_all": f"{mean(maps):.3f}" if maps else "failed" if c.failed else "not measured",
    }
    if c.measured:
        line |= _figures(c, benchmark, table, results)
    paper = [f"{c.row.paper[name]:.3f}" for name in table.paper if name in c.row.paper]
    return {**line, f"paper: {' / '.join(table.paper)}": " / ".join(paper)}


def _figures(c: Cells, benchmark: Benchmark, table: Table, results: Results) -> dict[str, str]:
    """Heading -> text of the columns that only a measured row has."""

    def others(name: str) -> list[Result]:
        """Results of another row, of the table's teacher pairs."""
        found = [] if c.row.name == name else results.get(name, [])
        return [r for r in found if not r.failed and r.seed < table.seeds]

    line = {"of teacher pairs": _spread(_map_all(c.measured))}
    for name in ("map_all_macro", *benchmark.metrics):
        line[name] = f"{mean(r.metrics[name] for r in c.measured):.3f}"
    for group in table.groups:
        line |= _group(c, group, table.reference, others(table.reference))
    for name, heading in _PAIRS.items() if table.shows_pairs else ():
        values = [r.pairs[name] for r in c.measured if name in r.pairs]
        line[heading] = f"{mean(values):.2f}" if values else ""
    for name in (table.reference, *table.also):
        line[f"difference to `{name}`"] = _difference(c.measured, others(name))
    line["difference to its counterpart"] = _counterpart(c, others(c.row.against))
    line["teacher pairs"] = f"{len(c.measured)}{f', {len(c.failed)} failed' if c.failed else ''}"
    line["validation: step 0, end"] = _training(c)
    line["commit"] = _commits(c.measured)
    return line


def _group(c: Cells, group: str, reference: str, others: Sequence[Result]) -> dict[str, str]:
    """Mean over the queries of a group of classes, and how many times as high the reference's is."""
    line = {group: "", f"{group}: `{reference}` over this row": ""}
    classes = c.row.groups.get(group)
    if not classes:
        return line
    value = f"{float(average_precisions(c.measured, classes).nanmean()):.3f}"
    of_queries = compared(paired_ratio, others, c.measured, classes)
    if of_queries is None:
        return {**line, group: value}
    of_classes = compared(paired_ratio, others, c.measured, classes, of_classes=True)
    ratio = f"{of_queries.estimate:.2f} {_bounds(of_queries, '.2f')}, classes {_bounds(of_classes, '.2f')}"
    return dict(zip(line, (value, ratio), strict=True))


def _counterpart(c: Cells, others: Sequence[Result]) -> str:
    """Difference to the row that differs in one thing, and how many times as high that one is."""
    ratio = compared(paired_ratio, others, c.measured)
    if ratio is None:
        return ""
    times = f"`{c.row.against}` over this row {ratio.estimate:.3f} {_bounds(ratio, '.3f')}"
    return f"to `{c.row.against}`: {_difference(c.measured, others)}; {times}"


def _posterior(results: Sequence[Result]) -> str:
    """Form and temperatures of posterior matching, teacher pair by teacher pair; once where they are the same."""
    found = [matching(r.posterior) for r in results if r.posterior]
    return f" ({'; '.join(found if len(set(found)) > 1 else found[:1])})" if found else ""


def seed_differences(results: Sequence[Result], others: Sequence[Result]) -> list[float]:
    """Difference in mAP@all for each seed that both rows have."""
    theirs = {r.seed: r.metrics["map_all"] for r in others}
    return [r.metrics["map_all"] - theirs[r.seed] for r in results if r.seed in theirs]


def _map_all(results: Sequence[Result]) -> list[float]:
    return [r.metrics["map_all"] for r in results]


def _spread(values: Sequence[float], sign: str = "") -> str:
    return f"{min(values):{sign}.3f} to {max(values):{sign}.3f}" if len(values) > 1 else ""


def _training(c: Cells) -> str:
    """mAP@all on validation before and after the fit; empty for a row that is measured on other images than those."""
    curves = [r.curve for r in c.measured if r.curve]
    if not curves or c.row.measured_argv:
        return ""
    whole = [curve for curve in curves if curve[0][0] == 0]  # both figures are of the same fits
    end = f"{mean(curve[-1][1] for curve in whole or curves):.3f}"
    return f"{mean(curve[0][1] for curve in whole):.3f}, {end}" if whole else f"?, {end}"


def _commits(results: Sequence[Result]) -> str:
    """Commits of the fits and of the measurements."""
    made = [r.fitted_with for r in results if r.fitted_with], [r.measured_with for r in results]
    return "; ".join(", ".join(sorted({found.get("commit", "?") for found in part})) for part in made if part)


def _difference(results: Sequence[Result], others: Sequence[Result]) -> str:
    """The difference with its interval, that of other classes, and the spread over teacher pairs."""
    found = compared(paired_bootstrap, results, others)
    if found is None:
        return ""
    of_classes = compared(paired_bootstrap, results, others, of_classes=True)
    text = f"{found.estimate:+.3f} {_bounds(found)}, classes {_bounds(of_classes)}"
    spread = _spread(seed_differences(results, others), "+")
    return f"{text}, pairs {spread}" if spread else text


def _bounds(interval: Interval | None, form: str = "+.3f") -> str:
    return "" if interval is None else f"[{interval.low:{form}}, {interval.high:{form}}]"
