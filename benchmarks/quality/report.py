"""Tables and pictures of all that has been measured."""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.quality.identity import digest
from benchmarks.quality.plots import bars, curves, differences, overlap_curve, precision_recall
from benchmarks.quality.progress import tell
from benchmarks.quality.resolve import evaluation_images
from benchmarks.quality.rows.overlap import GROUPS, PAPER
from benchmarks.quality.run import Measurement
from benchmarks.quality.sheets import retrieval_sheet, stacked
from benchmarks.quality.store import Result
from benchmarks.quality.tables import Results, average_precisions, cells, markdown
from benchmarks.quality.types import Benchmark, Row, Table
from crossx.core.errors import InputError
from crossx.core.tensor_files import write_text
from crossx.evaluation.results import Interval, paired_bootstrap
from crossx.types import Split

_EVERY = 600.0
"""Seconds between two reports while rows are being measured: pictures and intervals take a row's time."""
_QUERIES = 3


def draw(benchmark: Benchmark, split: Split, results: Results, folder: Path, prefix: str) -> None:
    """Write the pictures that need no images: bars, differences, precision over recall, curves, and mAP over overlap.

    Args:
        benchmark: The benchmark.
        split: Which images the figures are of.
        results: What has been measured.
        folder: Where the pictures go.
        prefix: Start of their names.
    """
    for table in benchmark.tables:
        shown = cells(table, results)
        if any(c.measured for c in shown):
            title = f"{benchmark.name}, {split} split: {table.title}"
            bars(shown, title, folder / f"{prefix}-{table.name}-bars.png")
            differences(shown, table.reference, title, folder / f"{prefix}-{table.name}-differences.png")
            precision_recall(shown, title, folder / f"{prefix}-{table.name}-precision-recall.png")
            training = f"{benchmark.name}: {table.title}, while they train"
            curves(shown, training, folder / f"{prefix}-{table.name}-curves.png")
    points = overlap_points(benchmark, results)
    if points:
        title = f"{benchmark.name}, {split} split: partial overlap"
        overlap_curve(points, PAPER, title, folder / f"{prefix}-overlap.png")


def overlap_points(benchmark: Benchmark, results: Results) -> dict[str, dict[str, dict[float, Interval]]]:
    """Group of queries -> row's title -> share of the classes that both teachers know, in % -> mAP@all.

    Intervals are those of resampled queries. Of groups of queries all, shared and half-known ones count.
    """
    points: dict[str, dict[str, dict[float, Interval]]] = {}
    for name, row in benchmark.rows.items():
        measured = [r for r in results.get(name, []) if not r.failed]
        if row.overlap is None or not measured:
            continue
        for group, classes in {"all queries": (), **{group: row.groups.get(group) for group in GROUPS}}.items():
            if classes is not None:
                ap = average_precisions(measured, classes)
                found = paired_bootstrap(ap, ap * 0)
                points.setdefault(group, {}).setdefault(row.title, {})[row.overlap] = found
    return points


@dataclass
class Report:
    """The tables of a benchmark, from all results that hold.

    Attributes:
        benchmark: The benchmark.
        split: Which images the figures are of.
        folder: Where teachers, run folders and results lie.
        overrides: Words behind all others, of every run.
    """

    benchmark: Benchmark
    split: Split
    folder: Path
    overrides: tuple[str, ...] = ()
    _tried: float = field(default_factory=time.monotonic)

    @property
    def stem(self) -> str:
        """Start of the files' names: runs with overrides have tables and pictures of their own."""
        name = f"{self.benchmark.name}-{self.split}"
        return f"{name}-{digest(self.overrides)[:8]}" if self.overrides else name

    def write_sometimes(self) -> None:
        """Write it while rows are measured, unless that has just been tried. A failure is told, and stops none."""
        if time.monotonic() - self._tried > _EVERY:
            try:
                self.write()
            except (OSError, ValueError) as error:  # a full disk, a damaged picture, a file that is no result
                tell(f"tables cannot be written now: {error}")
            self._tried = time.monotonic()  # after a failure, too: the next try would take as long

    def write(self) -> str:
        """Write tables and pictures, and return the tables."""
        results = self.results()
        name, folder = self.stem, self.folder / "results"
        tables = [markdown(self.benchmark, table, results) for table in self.benchmark.tables]
        text = "\n".join([f"# {self.benchmark.name}, {self.split} split\n", *filter(None, tables)])
        write_text(folder / f"{name}.md", text)
        draw(self.benchmark, self.split, results, folder, name)
        for table in self.benchmark.tables:
            self._sheets(table, results, folder / f"{name}-{table.name}")
        return text

    def _measurement(self, row: Row, seed: int) -> Measurement:
        return Measurement(self.benchmark, row, seed, self.split, self.folder, self.overrides)

    def results(self) -> dict[str, list[Result]]:
        """All results that hold, and failures where there is none."""
        results: dict[str, list[Result]] = {}
        for row in self.benchmark.rows.values():
            for seed in range(self.benchmark.seeds(row)):
                measurement = self._measurement(row, seed)
                if (found := measurement.stored() or measurement.failure()) is not None:
                    results.setdefault(row.name, []).append(found)
        return results

    def _sheets(self, table: Table, results: Results, stem: Path) -> None:
        """Pictures of the teacher pair that most rows have, of those whose run folders are still there."""
        measured = {row.name: {r.seed for r in results.get(row.name, []) if not r.failed} for row in table.rows}
        seed = max(range(table.seeds), key=lambda s: sum(s in seeds for seeds in measured.values()))
        lists: list[tuple[str, Path]] = []
        pairs: list[tuple[str, Path]] = []
        images: Measurement | None = None
        for row in table.rows:
            if seed not in measured[row.name]:
                continue
            measurement = self._measurement(row, seed)
            # A row of a baseline has no lists: those of its run are another row's.
            if row.baseline is None and measurement.retrieved().is_file():
                images = images or measurement
                if row.measured == images.row.measured:
                    lists.append((row.title, measurement.retrieved()))
            sheets = sorted((measurement.fit_folder() / "fit" / "pairs").glob("*.png"))
            if sheets and not row.measured:  # the pairs of a fit once, however often it is measured
                pairs.append((row.title, sheets[-1]))
        name = self.benchmark.name
        if pairs:
            title = f"{name}, seed {seed}: pairs at the end of training"
            stacked(pairs, title, stem.with_name(f"{stem.name}-pairs.png"))
        if images is not None:
            with suppress(InputError):  # the data are not here any more; figures can be shown without them
                gallery, queries = evaluation_images(images.measured_words, self.split)
                title = f"{name}, {self.split} split, seed {seed}: a sketch and its first photos, row by row"
                path = stem.with_name(f"{stem.name}-retrieval.png")
                retrieval_sheet(lists, gallery, queries, _QUERIES, title, path)
