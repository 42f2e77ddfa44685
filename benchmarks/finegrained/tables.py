"""The table of a benchmark: means over seeds, and paired differences over queries."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from benchmarks.finegrained.store import Result
from benchmarks.finegrained.types import Benchmark, Row
from crossx.core.atomic import write_text
from crossx.evaluation.results import Interval, paired_bootstrap

K = 5
"""First places of the accuracy that methods are compared by."""


@dataclass(frozen=True)
class Line:
    """One row of the table.

    Attributes:
        row: The row.
        results: Its results, one a seed.
        gain: Difference of acc@5 to the reference, over the seeds that both have; None for the reference itself.
        class_gain: The same of the accuracy within the class.
        over_baseline: Difference of acc@5 to the second row of comparison.
        share: Share of the way from the reference to the ceiling; None where there is no ceiling.
    """

    row: Row
    results: tuple[Result, ...]
    gain: Interval | None
    class_gain: Interval | None
    over_baseline: Interval | None
    share: float | None

    def mean(self, metric: str) -> float:
        """Mean of a metric over seeds."""
        return fmean(result.metrics[metric] for result in self.results)


def lines(benchmark: Benchmark, results: Sequence[Result]) -> list[Line]:
    """Rows of the table, for those that have results."""
    of_row = {row.name: tuple(r for r in results if r.row == row.name and not r.failed) for row in benchmark.rows}
    reference, ceiling = of_row[benchmark.reference], of_row.get(benchmark.ceiling, ())
    baseline = of_row.get(benchmark.baseline, ())
    gap = difference(ceiling, reference)
    found: list[Line] = []
    for row in benchmark.rows:
        if not row.shown or not of_row[row.name]:
            continue
        own, other = of_row[row.name], row.name != benchmark.reference
        gain = difference(own, reference) if other else None
        share = None if gain is None or gap is None or gap.estimate <= 0 else gain.estimate / gap.estimate
        within = difference(own, reference, within=True) if other else None
        above = difference(own, baseline) if row.name != benchmark.baseline else None
        found.append(Line(row, own, gain, within, above, share))
    return found


def difference(a: Sequence[Result], b: Sequence[Result], within: bool = False) -> Interval | None:
    """Difference of acc@5 in points: bootstrap over queries of the mean over the seeds that both rows have.

    Args:
        a: Results of a row.
        b: Results of another row. A row without training counts for every seed.
        within: Whether photos of other classes do not count.

    Returns:
        The difference and its 95 % interval; None where the rows share no seed, or were measured on other images.
    """
    hits = [{result.seed: _hits(result, within) for result in results} for results in (a, b)]
    for own, other in ((0, 1), (1, 0)):
        if len(hits[own]) == 1 and not (a, b)[own][0].seconds:
            hits[own] = dict.fromkeys(hits[other], next(iter(hits[own].values())))
    seeds = sorted(hits[0].keys() & hits[1].keys())
    if not seeds or len({result.split_hash for result in (*a, *b)}) > 1:
        return None
    means = [torch.stack([of_seed[seed] for seed in seeds]).mean(0) for of_seed in hits]
    interval = paired_bootstrap(means[0], means[1])
    return Interval(*(100 * value for value in interval))


def _hits(result: Result, within: bool) -> Tensor:
    return (torch.tensor(result.class_ranks if within else result.ranks) <= K).double()


def markdown(benchmark: Benchmark, split: str, found: Sequence[Line]) -> str:
    """The table as Markdown."""
    metrics = {"acc_at_1": "acc@1", "acc_at_5": "acc@5", "acc_at_10": "acc@10", "mean_rank": "mean rank"}
    if benchmark.within_class:
        metrics |= {
            "within_class_acc_at_1": "in class @1",
            "within_class_acc_at_5": "in class @5",
            "class_at_1": "class",
        }
    against = [f"acc@5 - {benchmark.reference}", f"in class @5 - {benchmark.reference}"][: 1 + benchmark.within_class]
    heads = ["row", "seeds", *metrics.values(), *against, f"acc@5 - {benchmark.baseline}"]
    heads += [*(["share of the gap"] if benchmark.ceiling else []), "s a fit"]
    rows = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for line in found:
        means = [line.mean(name) * (1 if name == "mean_rank" else 100) for name in metrics]
        shown = [line.row.title, str(len(line.results)), *(f"{mean:.1f}" for mean in means)]
        shown += [_interval(i) for i in (line.gain, line.class_gain)[: 1 + benchmark.within_class]]
        shown.append(_interval(line.over_baseline))
        if benchmark.ceiling:
            shown.append("" if line.share is None else f"{100 * line.share:.0f} %")
        rows.append([*shown, f"{fmean(r.seconds for r in line.results):.0f}"])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    queries = len(found[0].results[0].ranks) if found else 0
    note = f"{queries} queries, {split} images. In %, and differences in points with 95 % intervals over queries."
    return f"## {benchmark.title}\n\n{benchmark.about}\n\n{note}\n\n{table}\n"


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.estimate:+.1f} [{interval.low:+.1f}, {interval.high:+.1f}]"


def write(benchmark: Benchmark, split: str, results: Sequence[Result], folder: Path) -> str:
    """Write the table as Markdown and as JSON, and return the Markdown."""
    found = lines(benchmark, results)
    text = markdown(benchmark, split, found)
    content = [
        {
            "row": line.row.name,
            "title": line.row.title,
            "seeds": [result.seed for result in line.results],
            "metrics": {name: line.mean(name) for name in line.results[0].metrics},
            **{
                name: None if interval is None else interval._asdict()
                for name, interval in (
                    (f"acc_at_5_minus_{benchmark.reference}", line.gain),
                    (f"within_class_acc_at_5_minus_{benchmark.reference}", line.class_gain),
                    (f"acc_at_5_minus_{benchmark.baseline}", line.over_baseline),
                )
            },
            "share_of_gap": line.share,
            "made_with": line.results[0].made_with,
        }
        for line in found
    ]
    path = folder / f"{benchmark.name}-{split}"
    write_text(path.with_suffix(".md"), text)
    write_text(path.with_suffix(".json"), json.dumps({"benchmark": benchmark.name, "rows": content}, indent=1) + "\n")
    return text
