"""Tables and pictures of current results."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.configs import data_of, resolved_config
from benchmarks.quality.identity import digest
from benchmarks.quality.outcome import outcome
from benchmarks.quality.plan import Measurement
from benchmarks.quality.plots import bars, curves, differences, overlap_curve, precision_recall
from benchmarks.quality.rows.overlap import GROUPS, PAPER
from benchmarks.quality.sheets import distinct, retrieval_sheet, stacked
from benchmarks.quality.store import Result
from benchmarks.quality.tables import Results, average_precisions, cells, markdown
from benchmarks.quality.types import Benchmark, Row, Table
from benchmarks.quality.validation_choices import chosen_on_validation
from crossx.core.atomic import write_text
from crossx.core.errors import InputError
from crossx.evaluation.results import Interval, paired_bootstrap
from crossx.types import Split

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
    """Tables and pictures of a benchmark, of all current results.

    Attributes:
        benchmark: The benchmark.
        split: Which images the figures are of.
        folder: Where everything is written.
        overrides: Overrides of every run, behind all others.
    """

    benchmark: Benchmark
    split: Split
    folder: Path
    overrides: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """Start of the files' names: runs with overrides have tables and pictures of their own."""
        name = f"{self.benchmark.name}-{self.split}"
        return f"{name}-{digest(self.overrides)[:8]}" if self.overrides else name

    def write(self) -> str:
        """Write tables and pictures, and return the tables."""
        results = self.results()
        name, folder = self.stem, self.folder / "results"
        tables = [markdown(self.benchmark, table, results) for table in self.benchmark.tables]
        tables.append(chosen_on_validation(self.benchmark, results))
        text = "\n".join([f"# {self.benchmark.name}, {self.split} split\n", *filter(None, tables)])
        write_text(folder / f"{name}.md", text)
        draw(self.benchmark, self.split, results, folder, name)
        for table in self.benchmark.tables:
            self._sheets(table, results, folder / f"{name}-{table.name}")
        return text

    def _measurement(self, row: Row, seed: int) -> Measurement:
        return Measurement(self.benchmark, row, seed, self.split, self.folder, self.overrides)

    def results(self) -> dict[str, list[Result]]:
        """All current results, and failures where there is none."""
        results: dict[str, list[Result]] = {}
        for row in self.benchmark.rows.values():
            for seed in range(self.benchmark.seeds(row)):
                if (found := outcome(self._measurement(row, seed))) is not None:
                    results.setdefault(row.name, []).append(found)
        return results

    def _sheets(self, table: Table, results: Results, stem: Path) -> None:
        """Draw retrieved photos and pairs, of the teacher pair that most rows have."""
        measured = {row.name: {r.seed for r in results.get(row.name, []) if not r.failed} for row in table.rows}
        seed = max(range(table.seeds), key=lambda s: sum(s in seeds for seeds in measured.values()))
        lists: list[tuple[str, Path]] = []
        pairs: list[tuple[str, Path]] = []
        images: Measurement | None = None
        for row in table.rows:
            if seed not in measured[row.name]:
                continue
            measurement = self._measurement(row, seed)
            # The lists of a run are those of its encoders, and not of its baselines.
            if row.baseline is None and (ranked := measurement.job.folder / f"retrieval/{self.split}.csv").is_file():
                images = images or measurement
                if row.measured_argv == images.row.measured_argv:
                    lists.append((row.title, ranked))
            fit = measurement.fit_job
            sheets = [] if fit is None else sorted((fit.folder / "pairs").glob("*.png"))
            if sheets and not row.measured_argv:  # the pairs of a fit once, however often it is measured
                pairs.append((row.title, sheets[-1]))
        name = self.benchmark.name
        if pairs:
            title = f"{name}, seed {seed}: pairs at the end of training"
            stacked(distinct(pairs), title, stem.with_name(f"{stem.name}-pairs.png"))
        if images is not None:
            with suppress(InputError):  # the images are no longer here; figures can be shown without them
                if (data := data_of(resolved_config(["validate", *images.measured_argv]))) is not None:
                    gallery, queries = data.images("photo", self.split), data.images("sketch", self.split)
                    title = f"{name}, {self.split} split, seed {seed}: a sketch and its first photos, row by row"
                    path = stem.with_name(f"{stem.name}-retrieval.png")
                    retrieval_sheet(lists, gallery, queries, _QUERIES, title, path)
