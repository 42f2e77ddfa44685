"""Results to tables: the mean over seeds, and the difference to another row with its interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import torch

from benchmarks.quality.store import Result
from benchmarks.quality.types import Benchmark, Row, Table
from crossx.evaluation.results import Interval, paired_bootstrap, paired_ratio

Results = Mapping[str, Sequence[Result]]
"""Row name to its results, a seed each."""

_PAIRS = {
    "recon/agreement": "synthetic pairs agree",
    "recon/photo_diversity": "photo diversity",
    "recon/sketch_diversity": "sketch diversity",
}


@dataclass(frozen=True)
class Cells:
    """What a table says of one row.

    Attributes:
        row: The row.
        measured: Its results of the table's seeds, those that failed apart.
        failed: Its failed results.
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

    A query's value is its mean over the seeds that both rows have, so the interval is that of other queries, with these
    teachers.

    Args:
        statistic: `paired_bootstrap` for the difference, `paired_ratio` for the ratio.
        results: A row's results.
        others: The other row's.
        group: Classes whose queries count; all where it is empty.
        of_classes: Whether the interval is that of other classes, which bring all their queries with them.

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
    columns = _columns(benchmark, table, results)
    grid = [[column.cell(c) if c.measured or column.always else "" for column in columns] for c in shown]
    kept = [i for i in range(len(columns)) if any(line[i] for line in grid)]
    lines = [["", *(columns[i].heading for i in kept)], ["---", *["---:"] * len(kept)]]
    notes: dict[str, str] = {}
    for c, line in zip(shown, grid, strict=True):
        title = f"{c.row.title}{_posterior(c.measured)}"
        if c.row.training_images:
            mark = notes.setdefault(c.row.training_images, "*" * (len(notes) + 1)).replace("*", r"\*")
            title = f"{title} {mark}"
        lines.append([title, *(line[i] for i in kept)])
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    footnotes = "".join(f"\n\n{mark.replace('*', chr(92) + '*')} not data-free: {why}." for why, mark in notes.items())
    failures = "".join(
        f"\n\n`{c.row.name}`, seed {r.seed}, has failed: {' '.join(r.failed.split())}" for c in shown for r in c.failed
    )
    return f"## {table.title}\n\n{table.about}\n\n{text}{footnotes}{failures}\n"


_Cell = Callable[[Cells], str]
_Others = Callable[[str, Cells], list[Result]]


@dataclass(frozen=True)
class _Column:
    """What stands below a heading; a column that is empty in all rows is left out.

    Attributes:
        heading: The heading.
        cell: What a row has there.
        always: Whether rows that were not measured have something there, too.
    """

    heading: str
    cell: _Cell
    always: bool = False


def _columns(benchmark: Benchmark, table: Table, results: Results) -> list[_Column]:
    def others(name: str, c: Cells) -> list[Result]:
        """Results of another row of the same teacher pairs as a table's."""
        found = [] if c.row.name == name else results.get(name, [])
        return [r for r in found if not r.failed and r.seed < table.seeds]

    columns = [
        _Column("row", lambda c: f"`{c.row.name}`", always=True),
        _Column("map_all", _mean_map_all, always=True),
        _Column("of teacher pairs", lambda c: _spread(_map_all(c.measured))),
        *(_Column(name, _metric(name)) for name in ("map_all_macro", *benchmark.metrics)),
    ]
    for group in table.groups:
        columns += _group_columns(group, table.reference, others)
    if table.shows_pairs:
        columns += [_Column(title, _logged(name)) for name, title in _PAIRS.items()]
    columns += [_difference_to(name, others) for name in (table.reference, *table.also)]
    columns += [
        _Column("difference to its counterpart", lambda c: _to_counterpart(c, others(c.row.against, c))),
        _Column("teacher pairs", lambda c: f"{len(c.measured)}{f', {len(c.failed)} failed' if c.failed else ''}"),
        _Column("validation: step 0, end", _training),
        _Column("commit", lambda c: _commits(c.measured)),
        _Column(f"paper: {' / '.join(table.paper)}", _paper(table.paper), always=True),
    ]
    return columns


def _mean_map_all(c: Cells) -> str:
    if not c.measured:
        return "failed" if c.failed else "not measured"
    return f"{mean(_map_all(c.measured)):.3f}"


def _metric(name: str) -> _Cell:
    return lambda c: f"{mean(r.metrics[name] for r in c.measured):.3f}"


def _logged(name: str) -> _Cell:
    def cell(c: Cells) -> str:
        values = [r.pairs[name] for r in c.measured if name in r.pairs]
        return f"{mean(values):.2f}" if values else ""

    return cell


def _paper(data_sets: Sequence[str]) -> _Cell:
    return lambda c: " / ".join(f"{c.row.paper[name]:.3f}" for name in data_sets if name in c.row.paper)


def _posterior(results: Sequence[Result]) -> str:
    """Form and temperature that posterior matching was given, teacher pair by teacher pair."""
    found = [f"{r.posterior['form']} at {r.posterior['temperature']:g}" for r in results if r.posterior]
    return f" ({', '.join(found)})" if found else ""


def _difference_to(name: str, others: _Others) -> _Column:
    return _Column(f"difference to `{name}`", lambda c: _difference(c.measured, others(name, c)))


def _group_columns(group: str, reference: str, others: _Others) -> list[_Column]:
    """Mean over the queries of a group of classes, and how many times that the reference reaches."""

    def value(c: Cells) -> str:
        found = c.row.groups.get(group)
        return f"{float(average_precisions(c.measured, found).nanmean()):.3f}" if found else ""

    def ratio(c: Cells) -> str:
        found, theirs = c.row.groups.get(group), others(reference, c)
        if not found or (of_queries := compared(paired_ratio, theirs, c.measured, found)) is None:
            return ""
        of_classes = compared(paired_ratio, theirs, c.measured, found, of_classes=True)
        return f"{of_queries.estimate:.2f} {_bounds(of_queries, '.2f')}, classes {_bounds(of_classes, '.2f')}"

    return [_Column(group, value), _Column(f"{group}: `{reference}` over this row", ratio)]


def seed_differences(results: Sequence[Result], others: Sequence[Result]) -> list[float]:
    """Difference in mAP@all for each seed that both rows have."""
    theirs = {r.seed: r.metrics["map_all"] for r in others}
    return [r.metrics["map_all"] - theirs[r.seed] for r in results if r.seed in theirs]


def _map_all(results: Sequence[Result]) -> list[float]:
    return [r.metrics["map_all"] for r in results]


def _spread(values: Sequence[float], sign: str = "") -> str:
    return f"{min(values):{sign}.3f} to {max(values):{sign}.3f}" if len(values) > 1 else ""


def _training(c: Cells) -> str:
    """What a fit reaches on validation before and after it; rows that start well owe it to their start.

    Empty for rows that measure a fit in another way than its validation did.
    """
    curves = [r.curve for r in c.measured if r.curve]
    if not curves or c.row.measured:
        return ""
    whole = [curve for curve in curves if curve[0][0] == 0]  # both figures are of the same fits
    end = f"{mean(curve[-1][1] for curve in whole or curves):.3f}"
    return f"{mean(curve[0][1] for curve in whole):.3f}, {end}" if whole else f"?, {end}"


def _commits(results: Sequence[Result]) -> str:
    """What made the fits and what measured them."""
    made = [r.fitted_with for r in results if r.fitted_with], [r.measured_with for r in results]
    return "; ".join(", ".join(sorted({found.get("commit", "?") for found in part})) for part in made if part)


def _to_counterpart(c: Cells, others: Sequence[Result]) -> str:
    found = _difference(c.measured, others)
    return f"to `{c.row.against}`: {found}" if found else ""


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
