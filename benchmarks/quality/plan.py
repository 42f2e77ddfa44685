"""What has to be run for a row: commands, the folders that they fill, and the digests of what they depend on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmarks.quality import shared_generators
from benchmarks.quality.identity import digest, file_digest, run_digest
from benchmarks.quality.types import Benchmark, Row, Teacher
from crossx.core.errors import InputError
from crossx.types import MODALITIES, Split

OTHER_START = 10
"""Added to the sketch teacher's seed: the two teachers start from different weights, as those of strangers do."""

TEACHER, RECORD = "teacher.safetensors", "record.safetensors"
"""What the jobs of classifiers and of records make."""


@dataclass(frozen=True)
class Job:
    """One command and the folder that it fills, whose name ends with a digest of all that the command depends on.

    Attributes:
        folder: Where it writes; its log lies beside it.
        name: Its name in messages.
        argv: Arguments of `benchmarks.quality.child`.
        identity: Command line whose config and code must not change during the run.
        with_code: Whether it depends on the code, as all but the classifiers do.
        inputs: Role of a file, such as `photo` -> the file, of all that earlier jobs make for it.
        makes: Name of the file that later jobs take from the folder; empty where they take none.
    """

    folder: Path
    name: str = field(compare=False)
    argv: tuple[str, ...] = field(compare=False)
    identity: tuple[str, ...] = field(compare=False)
    with_code: bool = field(default=True, compare=False)
    inputs: Mapping[str, Path] = field(default_factory=dict, compare=False)
    makes: str = field(default="", compare=False)

    def beside(self, ending: str) -> Path:
        """A file beside the folder, such as its log (`.log`) or why it failed (`.failed`)."""
        return self.folder.with_name(f"{self.folder.name}{ending}")

    @property
    def done(self) -> Path:
        """File that is written last, when the command has ended well."""
        return self.folder / "done.json"

    @property
    def output(self) -> Path:
        """The file that later jobs take."""
        return self.folder / self.makes

    @property
    def files(self) -> dict[str, str]:
        """Role of each input -> SHA-256 (hex) of the file that is there now."""
        return {role: file_digest(path) for role, path in self.inputs.items()}

    def is_done(self) -> bool:
        """Whether it has ended well, from the input files that are there now."""
        try:
            return bool(json.loads(self.done.read_text())["files"] == self.files)
        except (OSError, ValueError, InputError):
            return False


@dataclass(frozen=True, eq=False)
class Measurement:
    """One row to be measured with one seed.

    Attributes:
        benchmark: The benchmark.
        row: One of its rows.
        seed: Number of the teacher pair, and seed of the fit.
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

    @property
    def teachers(self) -> dict[str, tuple[Teacher, int]]:
        """Role -> classifier and its seed."""
        row, benchmark = self.row, self.benchmark
        found = {
            "photo": (row.photo or benchmark.photo, self.seed),
            "sketch": (row.sketch or benchmark.sketch, self.seed + (0 if row.shared_start else OTHER_START)),
        }
        if row.modality:
            if benchmark.modality is None:
                raise InputError(f"{benchmark.name}: {row.name} needs a classifier of photos and sketches")
            found["modality"] = (benchmark.modality, self.seed)
        return found

    @cached_property
    def teacher_jobs(self) -> dict[str, Job]:
        """Role -> job that trains the classifier."""
        return {role: self._teacher_job(*wanted) for role, wanted in self.teachers.items()}

    @cached_property
    def record_jobs(self) -> dict[str, Job]:
        """Role -> job that records the activations of a teacher; empty for a row that uses none."""
        if not self.row.records:
            return {}
        return {f"{m} activations": self._record_job(m, self.teacher_jobs[m]) for m in MODALITIES}

    @cached_property
    def generator_jobs(self) -> dict[str, Job]:
        """Role -> job that trains the shared generators; empty for a row that trains its own.

        With overrides, which may be of the generators, every row trains its own.
        """
        if not self.row.shared_generators or self.overrides:
            return {}
        return {"generators": self._generator_job()}

    @property
    def rounds(self) -> tuple[dict[str, Job], dict[str, Job]]:
        """Role -> job, of what rows share: the classifiers, then what is made with them."""
        return self.teacher_jobs, {**self.record_jobs, **self.generator_jobs}

    @property
    def shared_jobs(self) -> dict[str, Job]:
        """Role -> job, of all that rows share."""
        first, second = self.rounds
        return {**first, **second}

    @cached_property
    def inputs(self) -> dict[str, Path]:
        """Role -> file, of all that the benchmark makes for the row."""
        return {role: job.output for role, job in self.shared_jobs.items()}

    @cached_property
    def fit_job(self) -> Job | None:
        """Job that trains, shared by rows that measure one fit in different ways; None where nothing trains."""
        if not self.row.trains:
            return None
        identity = ("fit", *self._identity())
        folder = self._runs / f"fit-{self.seed}-{self._digest(identity)}"
        argv = ("fit", *self._argv(self.seed, self.inputs), *output_overrides(folder))
        return Job(folder, f"fit of {self.name}", argv, identity, inputs=self.inputs)

    @cached_property
    def job(self) -> Job:
        """Job that measures."""
        fit, identity = self.fit_job, ("fit", *self._identity(), *self.row.measured_argv)
        folder = self._runs / f"{self._stem}{self._digest(identity, fit and fit.folder.name)}"
        verb = "test" if self.split == "test" else "validate"
        argv = [verb, *self.measured_argv, *output_overrides(folder)]
        if fit is None:
            return Job(folder, self.name, tuple(argv), identity, inputs=self.inputs)
        argv += ["--ckpt_path", str(fit.folder / "checkpoints/last.ckpt")]
        return Job(folder, self.name, tuple(argv), identity, inputs={**self.inputs, "fit": fit.done})

    @property
    def measured_argv(self) -> list[str]:
        """Arguments of the measurement behind the subcommand."""
        return [*self._argv(self.seed, self.inputs), *self.row.measured_argv]

    def digest(self) -> str:
        """Digest of all that the row's figures depend on.

        Raises:
            InputError: When a config cannot be read.
        """
        return digest([self.job.folder.name, self.row.baseline])

    def was_tried(self) -> bool:
        """Whether the row has been measured before, with whatever code and config; where not, no config is read."""
        return any(self._runs.glob(f"{self._stem}*"))

    @property
    def unreadable(self) -> Path:
        """File with the reason why the row's config could not be read."""
        return self._runs / f"{self._stem}config.failed"

    @property
    def _runs(self) -> Path:
        return self.folder / "runs" / self.benchmark.name

    @property
    def _stem(self) -> str:
        return f"{self.row.name}-{self.seed}-{self.split}-"

    def _digest(self, identity: tuple[str, ...], *more: object) -> str:
        jobs = self.shared_jobs.values()
        return digest([run_digest(identity, with_code=True), self.seed, [job.folder.name for job in jobs], *more])[:12]

    def _identity(self) -> list[str]:
        """Arguments of the fit with roles in place of files, and one seed: equal for all seeds."""
        return self._argv(0, {role: Path(role) for role in self.inputs})

    def _argv(self, seed: int, files: Mapping[str, Path]) -> list[str]:
        argv = self._start(self.row.configs, seed, files)
        terms = "--model.reconstruction.init_args.terms"
        if self.row.records:
            place = f"{terms}.moments.loss.init_args"
            argv += [f"{place}.{modality}={files[f'{modality} activations']}" for modality in MODALITIES]
        if self.row.modality:
            argv.append(f"{terms}.modality.loss.init_args.discriminator={files['modality']}")
        if "generators" in files:
            argv += shared_generators.given(files["generators"])
        return [*argv, *self.row.argv, *self.overrides]

    def _start(self, recipes: Sequence[str], seed: int, files: Mapping[str, Path]) -> list[str]:
        """Configs, seed and teachers."""
        argv = [*_configs((*self.benchmark.configs, *recipes)), "--seed_everything", str(seed)]
        return [*argv, *(f"--teachers.{modality}={files[modality]}" for modality in MODALITIES)]

    def _teacher_job(self, teacher: Teacher, seed: int) -> Job:
        first, own = (["fit", "--config", teacher.config, f"--seed_everything={s}", *teacher.argv] for s in (0, seed))
        identity = tuple(first)
        folder = self._runs / f"{teacher.name}-{seed}-{digest([run_digest(identity, with_code=False), seed])[:12]}"
        argv = (*own, f"--model.output={folder / TEACHER}", *output_overrides(folder))
        return Job(folder, f"teacher {teacher.name}, seed {seed}", argv, identity, with_code=False, makes=TEACHER)

    def _generator_job(self) -> Job:
        teachers = [self.teacher_jobs[modality] for modality in MODALITIES]
        recipe = [shared_generators.RECIPE]
        files: dict[str, Path] = dict(zip(MODALITIES, (job.output for job in teachers), strict=True))
        identity = ("fit", *self._start(recipe, 0, {role: Path(role) for role in files}))
        found = digest([run_digest(identity, with_code=True), self.seed, [job.folder.name for job in teachers]])[:12]
        folder = self._runs / f"generators-{self.seed}-{found}"
        argv = ("fit", *self._start(recipe, self.seed, files), *output_overrides(folder))
        name = f"generators, seed {self.seed}"
        return Job(folder, name, argv, identity, inputs=files, makes=shared_generators.FILE)

    def _record_job(self, modality: str, teacher: Job) -> Job:
        config = self.teachers[modality][0]
        identity = ("fit", "--config", config.config, *config.argv)
        folder = self._runs / f"record-{digest([run_digest(identity, with_code=True), teacher.folder.name])[:12]}"
        argv = ("record", str(teacher.output), str(folder / RECORD), *identity)
        name = f"record of {teacher.name}"
        return Job(folder, name, argv, identity, inputs={"teacher": teacher.output}, makes=RECORD)


def output_overrides(folder: Path) -> list[str]:
    """Overrides that make a folder the run's own."""
    logger = "--trainer.logger=lightning.pytorch.loggers.CSVLogger"
    save = "--trainer.logger.init_args"
    argv = [logger, f"{save}.save_dir={folder.parent}", f"{save}.name=", f"{save}.version={folder.name}"]
    return [*argv, "--trainer.enable_progress_bar=false"]


def _configs(names: Sequence[str]) -> list[str]:
    """Names of configs as arguments."""
    return [word for name in names for word in ("--config", name)]
