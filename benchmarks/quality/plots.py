"""Results to pictures: bars with intervals, precision over recall, and how rows got better while they trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.quality.tables import Cells, average_precisions
from crossx.evaluation.functional import RECALLS
from crossx.evaluation.results import paired_bootstrap
from crossx.files import atomic_path

mpl.use("Agg")  # a benchmark runs where there is no screen

_DASHES = ("-", "--")
"""There are ten colours."""
_DATA_FREE, _WITH_DATA = "tab:blue", "tab:orange"


def bars(shown: Sequence[Cells], title: str, path: Path) -> None:
    """A bar for each measured row: mAP@all with the 95 % interval of resampled queries, and a dot a seed.

    Args:
        shown: Rows with their results, from top to bottom.
        title: One line.
        path: PNG to write.
    """
    rows = [c for c in shown if c.measured]
    figure = Figure(figsize=(8, 1.5 + 0.32 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for place, c in enumerate(rows):
        ap = average_precisions(c.measured)
        interval = paired_bootstrap(ap, ap * 0)
        below, above = interval.estimate - interval.low, interval.high - interval.estimate
        colour = _WITH_DATA if c.row.training_images else _DATA_FREE
        axes.barh(place, interval.estimate, color=colour, xerr=[[below], [above]], ecolor="0.3", capsize=2)
        seeds = [r.metrics["map_all"] for r in c.measured]
        axes.plot(seeds, [place] * len(seeds), ".", color="0.2", markersize=3)
        axes.text(max(interval.high, *seeds) + 0.01, place, f"{interval.estimate:.3f}", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [c.row.title for c in rows])
    axes.invert_yaxis()
    axes.set_xlabel("mAP@all\nlines: 95 % of resampled queries; dots: teacher pairs\norange: not data-free", fontsize=8)
    axes.set_title(title)
    axes.margins(x=0.12)
    _save(figure, path)


def curves(shown: Sequence[Cells], title: str, path: Path) -> None:
    """A line for each row that trains: mAP@all on validation over the steps, the mean over its seeds.

    Args:
        shown: Rows with their results, in the order of the legend.
        title: One line.
        path: PNG to write.
    """
    figure, axes = _lines("training steps", "mAP@all, validation", title)
    for i, c in enumerate(shown):
        found = [dict(result.curve) for result in c.measured if result.curve]
        if found:
            steps = sorted(set(found[0]).intersection(*found))
            _line(axes, i, c.row.title, steps, [[curve[step] for step in steps] for curve in found], marker="o")
    _finish(figure, axes, path)


def precision_recall(shown: Sequence[Cells], title: str, path: Path) -> None:
    """A line for each measured row: interpolated precision over recall, the mean over queries and seeds.

    Args:
        shown: Rows with their results, in the order of the legend.
        title: One line.
        path: PNG to write.
    """
    figure, axes = _lines("recall", "interpolated precision", title)
    for i, c in enumerate(shown):
        found = [result.precision_at_recall for result in c.measured if result.precision_at_recall]
        if found:
            _line(axes, i, c.row.title, RECALLS, found)
    axes.set_ylim(0, 1)
    _finish(figure, axes, path)


def overlap_curve(
    points: Mapping[str, Mapping[float, float]], paper: Mapping[str, Sequence[float]], title: str, path: Path
) -> None:
    """Lines over the share of classes that both teachers know, and the paper's beside them.

    Args:
        points: Row's title -> share of the classes in % -> mAP@all.
        paper: Data set -> the paper's mAP@all at 10, 20, ..., 100 %.
        title: One line.
        path: PNG to write.
    """
    figure, axes = _lines("classes that both teachers know, % of a teacher's", "mAP@all over the union", title)
    for i, (name, values) in enumerate(points.items()):
        shares = sorted(values)
        _line(axes, i, name, shares, [[values[s] for s in shares]], marker="o")
    for style, (name, figures) in zip(("--", ":"), paper.items(), strict=False):
        axes.plot(range(10, 101, 10), figures, style, color="0.6", label=f"paper, {name}")
    axes.set_ylim(bottom=0)
    _finish(figure, axes, path)


def _lines(x: str, y: str, title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)
    axes.grid(alpha=0.3)
    return figure, axes


def _line(
    axes: Axes, number: int, label: str, x: Sequence[float], runs: Sequence[Sequence[float]], marker: str = ""
) -> None:
    """The mean over runs, in the number's own colour and dashes."""
    y = torch.tensor(runs).mean(0).tolist()
    style = _DASHES[number // 10 % 2]
    axes.plot(x, y, style, marker=marker, markersize=3, color=f"C{number % 10}", label=label)


def _finish(figure: Figure, axes: Axes, path: Path) -> None:
    if axes.lines:
        figure.legend(fontsize=8, loc="outside lower center", ncols=2)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": None})  # equal pictures are equal files
