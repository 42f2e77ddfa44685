"""Results to tables: the mean over seeds, and the difference to another row with its interval."""

from collections.abc import Mapping, Sequence
from statistics import mean

import torch

from benchmarks.quality.rows import Benchmark, Row
from benchmarks.quality.store import Result
from crossx.evaluation.results import Interval, paired_bootstrap

Results = Mapping[str, Sequence[Result]]
"""Row name to its results, a seed each."""


def difference(results: Sequence[Result], others: Sequence[Result]) -> Interval | None:
    """Mean difference in average precision of two rows with its 95 % interval, over queries.

    A query's value is its mean over the seeds that both rows have, so the interval is that of other queries, with these
    teachers.

    Args:
        results: A row's results.
        others: The other row's.

    Returns:
        None where the rows have no seed in common.
    """
    mine = {r.seed: r for r in results if not r.failed}
    theirs = {r.seed: r for r in others if not r.failed}
    seeds = sorted(mine.keys() & theirs.keys())
    if not seeds:
        return None
    a, b = (average_precisions([side[seed] for seed in seeds]) for side in (mine, theirs))
    return paired_bootstrap(a, b)


def markdown(benchmark: Benchmark, rows: Sequence[Row], results: Results, reference: str) -> str:
    """One table.

    Args:
        benchmark: The benchmark.
        rows: Its rows, in order.
        results: What has been measured.
        reference: Name of the row that the others are compared with.
    """
    metrics = ("map_all", *benchmark.metrics)
    head = ["", *metrics, f"difference to {reference}", "seeds", "seconds"]
    lines = [head, ["---", *["---"] * (len(head) - 1)]]
    for row in rows:
        measured = [r for r in results.get(row.name, []) if not r.failed]
        if not measured:
            failed = any(r.failed for r in results.get(row.name, []))
            lines.append([row.title, "failed" if failed else "not measured", *[""] * (len(head) - 2)])
            continue
        values = [f"{mean(r.metrics[name] for r in measured):.3f}" for name in metrics]
        interval = None if row.name == reference else difference(measured, results.get(reference, []))
        compared = "" if interval is None else f"{interval.difference:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
        title = row.title if row.data_free else f"{row.title} (with data)"
        seconds = f"{mean(r.seconds for r in measured):.0f}" if row.trains else ""
        lines.append([title, *values, compared, str(len(measured)), seconds])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def average_precisions(results: Sequence[Result]) -> torch.Tensor:
    """Average precision of each query, the mean over seeds, (Q,); NaN where nothing is relevant."""
    values = [[float("nan") if ap is None else ap for ap in result.ap_all] for result in results]
    return torch.tensor(values, dtype=torch.float64).mean(0)
