"""Results to pictures: bars with intervals, and how rows got better while they trained."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.figure import Figure

from benchmarks.quality.rows import Row
from benchmarks.quality.store import Result
from benchmarks.quality.tables import Results, average_precisions
from crossx.evaluation.results import paired_bootstrap
from crossx.files import atomic_path

mpl.use("Agg")  # a benchmark runs where there is no screen

_DATA_FREE, _WITH_DATA = "tab:blue", "tab:orange"


def bars(rows: Sequence[Row], results: Results, title: str, path: Path) -> None:
    """A bar for each measured row: mAP@all with the 95 % interval of resampled queries.

    Args:
        rows: Rows, from top to bottom.
        results: What has been measured.
        title: One line.
        path: PNG to write.
    """
    shown = [(row, found) for row in rows if (found := _measured(row, results))]
    figure = Figure(figsize=(8, 1.2 + 0.32 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for place, (row, found) in enumerate(shown):
        ap = average_precisions(found)
        interval = paired_bootstrap(ap, ap * 0)
        below, above = interval.difference - interval.low, interval.high - interval.difference
        colour = _DATA_FREE if row.data_free else _WITH_DATA
        axes.barh(place, interval.difference, color=colour, xerr=[[below], [above]], ecolor="0.3", capsize=2)
        axes.text(interval.high + 0.01, place, f"{interval.difference:.3f}", va="center", fontsize=8)
    axes.set_yticks(range(len(shown)), [row.title for row, _ in shown])
    axes.invert_yaxis()
    axes.set_xlabel("mAP@all")
    axes.set_title(title)
    axes.margins(x=0.12)
    _save(figure, path)


def curves(rows: Sequence[Row], results: Results, title: str, path: Path) -> None:
    """A line for each row that trains: mAP@all on validation over the steps, the mean over its seeds.

    Args:
        rows: Rows, in the order of the legend.
        results: What has been measured.
        title: One line.
        path: PNG to write.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for row in rows:
        found = [result.curve for result in _measured(row, results) if result.curve]
        if found:
            steps = [step for step, _ in found[0]]
            values = torch.tensor([[value for _, value in curve] for curve in found]).mean(0)
            axes.plot(steps, values.tolist(), marker="o", markersize=3, label=row.title)
    axes.set_xlabel("training steps")
    axes.set_ylabel("mAP@all, validation")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize=8)
    _save(figure, path)


def _measured(row: Row, results: Results) -> list[Result]:
    return [result for result in results.get(row.name, []) if not result.failed]


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": None})  # equal pictures are equal files
