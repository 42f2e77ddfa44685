"""What has to be run for a row with one seed: its own fit and measurement, and the fits that it takes files from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.finegrained.types import Benchmark, Row
from benchmarks.quality.identity import digest, run_digest
from benchmarks.quality.plan import Job, output_overrides
from crossx.types import Split


@dataclass(frozen=True, eq=False)
class Measurement:
    """One row to be measured with one seed.

    Attributes:
        benchmark: The benchmark.
        row: One of its rows.
        seed: Seed of the fit.
        split: Which images are measured.
        folder: Where everything is written.
        overrides: Overrides of every run, behind all others.
    """

    benchmark: Benchmark
    row: Row
    seed: int
    split: Split
    folder: Path
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"{self.row.name}, seed {self.seed}"

    @cached_property
    def earlier(self) -> dict[str, "Measurement"]:
        """Field of the config -> measurement of the row whose file it names."""
        rows = self.benchmark.by_name
        return {
            name: Measurement(self.benchmark, rows[taken.row], self.seed, self.split, self.folder, self.overrides)
            for name, taken in self.row.takes.items()
        }

    @cached_property
    def inputs(self) -> dict[str, Path]:
        """Field of the config -> file of an earlier fit."""
        return {n: m.fit_job.folder / self.row.takes[n].file for n, m in self.earlier.items()}

    @cached_property
    def fit_job(self) -> Job:
        """Job that trains."""
        folder = self._runs / f"fit-{self.row.name}-{self.seed}-{self._digest}"
        argv = ("fit", *self._argv(self.inputs, self.seed), *output_overrides(folder))
        return Job(folder, f"fit of {self.name}", argv, self._identity, inputs=self.inputs)

    @cached_property
    def job(self) -> Job:
        """Job that measures."""
        folder = self._runs / f"{self.row.name}-{self.seed}-{self.split}-{self._digest}"
        verb = "test" if self.split == "test" else "validate"
        argv, inputs = [verb, *self._argv(self.inputs, self.seed), *output_overrides(folder)], dict(self.inputs)
        if self.row.trains:
            argv += ["--ckpt_path", str(self.fit_job.folder / "checkpoints/last.ckpt")]
            inputs["fit"] = self.fit_job.done
        return Job(folder, self.name, tuple(argv), self._identity, inputs=inputs)

    @cached_property
    def jobs(self) -> list[Job]:
        """All jobs in the order in which they have to run, each once."""
        found = [job for m in self.earlier.values() for job in m.fits]
        return list(dict.fromkeys([*found, *([self.fit_job] if self.row.trains else []), self.job]))

    @property
    def fits(self) -> list[Job]:
        """The row's fit behind those that it depends on."""
        return [*(job for m in self.earlier.values() for job in m.fits), self.fit_job]

    @property
    def _runs(self) -> Path:
        return self.folder / "runs" / self.benchmark.name

    @cached_property
    def _identity(self) -> tuple[str, ...]:
        """Arguments of the fit with fields in place of files, and one seed: equal for all seeds."""
        return ("fit", *self._argv({name: Path(name) for name in self.row.takes}, 0))

    @cached_property
    def _digest(self) -> str:
        taken = [[name, self.row.takes[name].file, m._digest] for name, m in self.earlier.items()]
        return digest([run_digest(self._identity, with_code=True), self.seed, taken])[:12]

    def _argv(self, files: Mapping[str, Path], seed: int) -> list[str]:
        row, benchmark = self.row, self.benchmark
        names = row.configs if row.alone else (*benchmark.configs, *row.configs)
        overrides = () if row.elsewhere else self.overrides
        configs = [word for name in names for word in ("--config", name)]
        given = [f"--{name}={path}" for name, path in files.items()]
        return [*configs, "--seed_everything", str(seed), *row.argv, *given, *overrides]
