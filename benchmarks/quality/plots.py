"""Results to pictures: bars and differences with intervals, precision over recall, mAP over steps and over overlap."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from benchmarks.quality.store import Result
from benchmarks.quality.tables import Cells, average_precisions, compared
from crossx.core.tensor_files import atomic_path
from crossx.evaluation.measures import RECALLS
from crossx.evaluation.results import Interval, paired_bootstrap

mpl.use("Agg")  # a benchmark runs where there is no screen

_DASHES = ("-", "--")
"""There are ten colours."""
_DATA_FREE, _WITH_DATA = "tab:blue", "tab:orange"
_DIFFERENCES = (-0.5, -0.1, -0.02, -0.01, 0, 0.01, 0.02, 0.1, 0.5)
"""Ticks that stay apart on an axis that is linear in the middle."""


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


def differences(shown: Sequence[Cells], reference: str, title: str, path: Path) -> None:
    """A point for each row that has a teacher pair in common with the reference: the paired difference in mAP@all.

    Args:
        shown: Rows with their results, from top to bottom.
        reference: Name of the row that the others are compared with.
        title: One line.
        path: PNG to write.
    """
    others = next((c.measured for c in shown if c.row.name == reference), ())
    rows = [(c, found) for c in shown if c.row.name != reference if (found := _both_intervals(c, others)) is not None]
    figure = Figure(figsize=(10, 1.7 + 0.32 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for place, (c, (of_queries, of_classes)) in enumerate(rows):
        axes.plot([of_classes.low, of_classes.high], [place, place], color="0.7", linewidth=1)
        axes.plot([of_queries.low, of_queries.high], [place, place], color=_DATA_FREE, linewidth=4)
        axes.plot(of_queries.estimate, place, "o", color="0.1", markersize=4)
        pairs = len({r.seed for r in c.measured} & {r.seed for r in others})
        text = f"{of_queries.estimate:+.3f}, {pairs} pair{'s' * (pairs > 1)}"
        axes.annotate(text, (of_queries.estimate, place), (0, 6), textcoords="offset points", fontsize=7, ha="center")
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set_xscale("symlog", linthresh=0.02, linscale=2)  # some rows fall apart, others lose a thousandth
    axes.xaxis.set_major_locator(FixedLocator(_DIFFERENCES))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.12)
    axes.set_yticks(range(len(rows)), [c.row.title for c, _ in rows])
    axes.invert_yaxis()
    about = "thick: 95 % of resampled queries\nthin: of resampled classes\nlinear up to 0.02, then logarithmic"
    axes.set_xlabel(f"mAP@all minus that of {reference}\n{about}", fontsize=8)
    figure.suptitle(title)
    _save(figure, path)


def _both_intervals(c: Cells, others: Sequence[Result]) -> tuple[Interval, Interval] | None:
    of_queries = compared(paired_bootstrap, c.measured, others)
    of_classes = compared(paired_bootstrap, c.measured, others, of_classes=True)
    return None if of_queries is None or of_classes is None else (of_queries, of_classes)


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
    points: Mapping[str, Mapping[str, Mapping[float, Interval]]],
    paper: Mapping[str, Sequence[float]],
    title: str,
    path: Path,
) -> None:
    """Lines over the share of classes that both teachers know, a panel a group of queries, the paper's in the first.

    Args:
        points: Group of queries -> row's title -> share of the classes in % -> mAP@all with its interval.
        paper: Data set -> the paper's mAP@all at 10, 20, ..., 100 %.
        title: One line.
        path: PNG to write.
    """
    figure = Figure(figsize=(12, 6), layout="constrained")
    panels = figure.subplots(1, len(points), squeeze=False)[0]
    names = list(dict.fromkeys(name for rows in points.values() for name in rows))
    for axes, (group, rows) in zip(panels, points.items(), strict=True):
        for name, values in rows.items():
            shares = sorted(values)
            number = names.index(name)
            _line(axes, number, name, shares, [[values[s].estimate for s in shares]], marker="o")
            bounds = [values[s].low for s in shares], [values[s].high for s in shares]
            axes.fill_between(shares, *bounds, color=f"C{number}", alpha=0.15, linewidth=0)
        axes.set_title(group, fontsize=10)
        axes.set_xlabel("classes that both teachers know, % of a teacher's", fontsize=8)
        axes.grid(alpha=0.3)
    for style, (name, figures) in zip(("--", ":"), paper.items(), strict=False):
        panels[0].plot(range(10, 101, 10), figures, style, color="0.6", label=f"paper, {name}")
    panels[0].set_ylabel("mAP@all over the union\nbands: 95 % of resampled queries")
    for axes in panels:
        axes.set_ylim(bottom=0)
    figure.suptitle(title)
    figure.legend(*panels[0].get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=2)
    _save(figure, path)


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
