"""Results to tables: the mean over seeds, and the difference to another row with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import torch

from benchmarks.quality.store import Result
from benchmarks.quality.types import Benchmark, Row, Table
from crossx.evaluation.results import Interval, paired_bootstrap

Results = Mapping[str, Sequence[Result]]
"""Row name to its results, a seed each."""

_PAIR_COLUMNS = {
    "recon/agreement": "pairs agree",
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


def difference(
    results: Sequence[Result], others: Sequence[Result], group: Sequence[str] = (), of_classes: bool = False
) -> Interval | None:
    """Mean difference in average precision of two rows with its 95 % interval, over queries.

    A query's value is its mean over the seeds that both rows have, so the interval is that of other queries, with these
    teachers.

    Args:
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
    return paired_bootstrap(a[counted], b[counted], classes=classes)


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
    reference = next((c.measured for c in shown if c.row.name == table.reference), ())
    with_pairs = table.name == "ablations"
    head = ["", "map_all", "of seeds", "map_all_macro", *benchmark.metrics]
    head += [*table.groups, *(_PAIR_COLUMNS.values() if with_pairs else ())]
    head += [
        f"difference to `{table.reference}`",
        "of classes",
        "of seeds",
        "seeds",
        "validation: step 0, end",
        "commit",
    ]
    head += [table.paper] if table.paper else []
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    notes: dict[str, str] = {}
    for c in shown:
        title = c.row.title
        if c.row.training_images:
            mark = notes.setdefault(c.row.training_images, "*" * (len(notes) + 1)).replace("*", r"\*")
            title = f"{title} {mark}"
        paper = [c.row.paper] if table.paper else []
        if not c.measured:
            nothing = [""] * (len(head) - 2 - len(paper))
            lines.append([title, "failed" if c.failed else "not measured", *nothing, *paper])
            continue
        values = [r.metrics["map_all"] for r in c.measured]
        row = [title, f"{mean(values):.3f}", _spread(values)]
        row += [f"{mean(r.metrics[name] for r in c.measured):.3f}" for name in ("map_all_macro", *benchmark.metrics)]
        others = () if c.row.name == table.reference else reference
        row += [_group(c, name, others) for name in table.groups]
        if with_pairs:
            row += [_pairs(c.measured, name) for name in _PAIR_COLUMNS]
        of_classes = difference(c.measured, others, of_classes=True)
        row += [_interval(difference(c.measured, others)), "" if of_classes is None else _bounds(of_classes)]
        row.append(_spread(seed_differences(c.measured, others), "+"))
        row.append(f"{len(c.measured)}, {len(c.failed)} failed" if c.failed else str(len(c.measured)))
        lines.append([*row, _training(c.measured), _commits(c.measured), *paper])
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    footnotes = "".join(f"\n\n{mark.replace('*', chr(92) + '*')} not data-free: {why}." for why, mark in notes.items())
    return f"## {table.title}\n\n{table.about}\n\n{text}{footnotes}\n"


def seed_differences(results: Sequence[Result], others: Sequence[Result]) -> list[float]:
    """Difference in mAP@all for each seed that both rows have."""
    theirs = {r.seed: r.metrics["map_all"] for r in others}
    return [r.metrics["map_all"] - theirs[r.seed] for r in results if r.seed in theirs]


def _spread(values: Sequence[float], sign: str = "") -> str:
    return f"{min(values):{sign}.3f} to {max(values):{sign}.3f}" if len(values) > 1 else ""


def _training(results: Sequence[Result]) -> str:
    """What rows reach on validation before and after they are trained; those that start well owe it to their start."""
    curves = [r.curve for r in results if r.curve]
    starts = [curve[0][1] for curve in curves if curve[0][0] == 0]
    ends = [curve[-1][1] for curve in curves]
    return ", ".join(f"{mean(values):.3f}" if values else "?" for values in (starts, ends)) if curves else ""


def _group(c: Cells, name: str, others: Sequence[Result]) -> str:
    """Mean over a group's queries, and its difference to the reference's."""
    if name not in c.row.groups:
        return ""
    group = c.row.groups[name]
    compared = _interval(difference(c.measured, others, group))
    return f"{float(average_precisions(c.measured, group).nanmean()):.3f}" + (f" ({compared})" if compared else "")


def _pairs(results: Sequence[Result], name: str) -> str:
    values = [r.pairs[name] for r in results if name in r.pairs]
    return f"{mean(values):.2f}" if values else ""


def _commits(results: Sequence[Result]) -> str:
    """What made the fits and what measured them."""
    made = [r.fitted_with for r in results if r.fitted_with], [r.measured_with for r in results]
    return "; ".join(", ".join(sorted({found.get("commit", "?") for found in part})) for part in made if part)


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.difference:+.3f} {_bounds(interval)}"


def _bounds(interval: Interval) -> str:
    return f"[{interval.low:+.3f}, {interval.high:+.3f}]"
