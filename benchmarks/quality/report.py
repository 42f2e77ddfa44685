"""Tables and pictures of all that has been measured."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.quality.plots import bars, curves, precision_recall
from benchmarks.quality.resolve import evaluation_images
from benchmarks.quality.run import Measurement
from benchmarks.quality.sheets import retrieval_sheet, stacked
from benchmarks.quality.store import Result
from benchmarks.quality.tables import cells, markdown
from benchmarks.quality.types import Benchmark, Row, Table
from crossx.errors import InputError
from crossx.files import write_text
from crossx.types import Split

_EVERY = 120.0
"""Seconds between two reports while rows are being measured: intervals take their time."""
_QUERIES = 5


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
    _written: float = field(default_factory=time.monotonic)

    def write_sometimes(self) -> None:
        """Write it, unless that has just been done."""
        if time.monotonic() - self._written > _EVERY:
            self.write()

    def write(self) -> str:
        """Write tables and pictures, and return the tables."""
        results = self._results()
        name = f"{self.benchmark.name}-{self.split}"
        texts = [f"# {self.benchmark.name}, {self.split} split\n"]
        for table in self.benchmark.tables:
            text = markdown(self.benchmark, table, results)
            if text:
                texts.append(text)
                shown = cells(table, results)
                title = f"{self.benchmark.name}, {self.split} split: {table.title}"
                stem = self.folder / "results" / f"{name}-{table.name}"
                bars(shown, title, stem.with_name(f"{stem.name}-bars.png"))
                precision_recall(shown, title, stem.with_name(f"{stem.name}-precision-recall.png"))
                curves(shown, title, stem.with_name(f"{stem.name}-curves.png"))
                self._sheets(table, results, stem)
        text = "\n".join(texts)
        write_text(self.folder / "results" / f"{name}.md", text)
        self._written = time.monotonic()
        return text

    def _measurement(self, row: Row, seed: int) -> Measurement:
        return Measurement(self.benchmark, row, seed, self.split, self.folder, self.overrides)

    def _results(self) -> dict[str, list[Result]]:
        results: dict[str, list[Result]] = {}
        for row in self.benchmark.rows.values():
            for seed in range(self.benchmark.seeds(row)):
                measurement = self._measurement(row, seed)
                found = measurement.stored()
                if found is None and (last := measurement.latest()) is not None and last.failed:
                    found = last
                if found is not None:
                    results.setdefault(row.name, []).append(found)
        return results

    def _sheets(self, table: Table, results: dict[str, list[Result]], stem: Path) -> None:
        """Pictures of the first teacher pair, of rows whose run folders are still there."""
        lists: list[tuple[str, Path]] = []
        pairs: list[tuple[str, Path]] = []
        images: Measurement | None = None
        for row in table.rows:
            if not any(r.seed == 0 and not r.failed for r in results.get(row.name, [])):
                continue
            measurement = self._measurement(row, 0)
            # A row of a baseline has no lists: those of its run are another row's.
            if row.baseline is None and measurement.retrieved().is_file():
                images = images or measurement
                if row.measured == images.row.measured:
                    lists.append((row.title, measurement.retrieved()))
            sheets = sorted((measurement.fit_folder() / "fit" / "pairs").glob("*.png"))
            if sheets:
                pairs.append((row.title, sheets[-1]))
        if images is not None:
            try:
                gallery, queries = evaluation_images(images.measured_words, self.split)
            except InputError:  # the data are not here any more; figures can be shown without them
                return
            retrieval_sheet(lists, gallery, queries, _QUERIES, stem.with_name(f"{stem.name}-retrieval.png"))
        if pairs:
            stacked(pairs, stem.with_name(f"{stem.name}-pairs.png"))
