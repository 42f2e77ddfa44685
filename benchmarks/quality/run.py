"""Measuring one row: teachers first where they are missing, then a fit, then its figures."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from torch.utils.data import DataLoader

from benchmarks.quality.curve import validation_curve
from benchmarks.quality.resolve import resolved_config, teacher_data
from benchmarks.quality.rows import Benchmark, Row
from benchmarks.quality.store import Result, identity, place
from crossx.baselines import record_activations
from crossx.data.base import collate_images
from crossx.errors import InputError
from crossx.teachers.teacher import load_teacher
from crossx.types import MODALITIES, Modality, Split

OTHER_START = 100
"""Added to the sketch teacher's seed where the two are to start from different weights."""
_RECORDED_AT_ONCE = 256


@dataclass(frozen=True)
class Measurement:
    """How rows of a benchmark are measured.

    Attributes:
        benchmark: The benchmark.
        split: Which images the figures are of.
        folder: Where teachers, run folders and results go.
        words: Overrides of every run, behind all others.
    """

    benchmark: Benchmark
    split: Split
    folder: Path
    words: tuple[str, ...] = ()

    @property
    def results(self) -> Path:
        """Where the results lie."""
        return self.folder / "results"

    def teachers(self, row: Row, seed: int) -> dict[Modality, Path]:
        """Where the teachers of a row lie."""
        seeds: dict[Modality, int] = {"photo": seed, "sketch": seed + (0 if row.shared_start else OTHER_START)}
        folder = self.folder / "teachers" / self.benchmark.name
        return {modality: folder / f"{modality}-{seeds[modality]}.safetensors" for modality in MODALITIES}

    def words_of(self, row: Row, seed: int) -> list[str]:
        """What a row's command line says behind the subcommand; the same for fit, validate and test."""
        teachers = self.teachers(row, seed)
        words = ["--config", self.benchmark.config]
        for config in row.configs:
            words += ["--config", config]
        words += ["--seed_everything", str(seed)]
        words += [f"--teachers.{modality}={path.resolve()}" for modality, path in teachers.items()]
        if row.records:
            moments = "--model.reconstruction.init_args.terms.moments.loss.init_args"
            words += [f"{moments}.{modality}={_record(path).resolve()}" for modality, path in teachers.items()]
        if row.discriminator:
            place = "--model.reconstruction.init_args.terms.modality.loss.init_args.discriminator"
            words.append(f"{place}={self._discriminator(seed).resolve()}")
        return [*words, *row.words, *self.words]

    def _discriminator(self, seed: int) -> Path:
        return self.folder / "teachers" / self.benchmark.name / f"modality-{seed}.safetensors"

    def measure(self, row: Row, seed: int) -> Result:
        """The figures of a row: earlier ones where they still hold, new ones otherwise.

        A row that diverges or cannot be run has a result that says so. A row that is interrupted has none, and what it
        left is removed before the next attempt: with the same teachers a row gives the same figures whether it was
        interrupted or not.
        """
        try:
            return self._measure(row, seed)
        except (InputError, OSError, KeyError, ValueError) as error:  # a teacher, a config, or what a run left behind
            message = str(error) if isinstance(error, InputError) else repr(error)
            result = Result(self.benchmark.name, row.name, seed, "", self.split, {}, [], [], 0.0, message)
            result.write(self.results)
            return result

    def _measure(self, row: Row, seed: int) -> Result:
        self._make_teachers(row, seed)
        words = self.words_of(row, seed)
        hashed = identity(resolved_config(["fit", *words]), self.split)
        path = place(self.results, self.benchmark.name, row.name, seed)
        if path.is_file():
            earlier = Result.read(path)
            if earlier.identity == hashed and not earlier.failed:
                return earlier
        path.unlink(missing_ok=True)
        self._run(row, seed, words, hashed).write(self.results)
        return Result.read(path)

    def _run(self, row: Row, seed: int, words: Sequence[str], hashed: str) -> Result:
        runs = self.folder / "runs" / self.benchmark.name / row.name
        shutil.rmtree(runs / str(seed), ignore_errors=True)
        measured = "test" if self.split == "test" else "validate"
        seconds, curve = 0.0, []
        log = runs / f"{seed}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as output:
            if row.trains:
                fit = runs / str(seed) / "fit"
                failed = _crossx("fit", [*words, *_into(fit)], output)
                if not failed:
                    seconds = json.loads((fit / "results.json").read_text())["seconds"]
                    curve = validation_curve(fit / "metrics.csv")
                    words = [*words, "--ckpt_path", str(fit / "checkpoints" / "last.ckpt")]
            else:
                failed = 0
            if not failed:
                failed = _crossx(measured, [*words, *_into(runs / str(seed) / measured)], output)
        common = (self.benchmark.name, row.name, seed, hashed, self.split)
        if failed:
            return Result(*common, {}, [], [], 0.0, f"ended with status {failed}; see {log}")
        found = json.loads((runs / str(seed) / measured / "results.json").read_text())
        metrics, ap_all = found["metrics"], found["ap_all"]
        if row.baseline is not None:
            metrics, ap_all = found["baselines"][row.baseline], found["baselines_ap_all"][row.baseline]
        return Result(*common, metrics, ap_all, curve, seconds)

    def _make_teachers(self, row: Row, seed: int) -> None:
        wanted = {path: self._config_of(path) for path in self.teachers(row, seed).values()}
        if row.discriminator:
            wanted[self._discriminator(seed)] = self.benchmark.discriminator
        for path, config in wanted.items():
            if not path.is_file():
                self._make_teacher(path, config)
        if row.records:
            for path in self.teachers(row, seed).values():
                if not _record(path).is_file():
                    data = teacher_data(self._config_of(path))
                    images = DataLoader(data, _RECORDED_AT_ONCE, collate_fn=collate_images)
                    record_activations(load_teacher(path), (batch.image for batch in images), _record(path))

    def _config_of(self, teacher: Path) -> str:
        photo = teacher.stem.startswith("photo")
        return self.benchmark.photo_teacher if photo else self.benchmark.sketch_teacher

    def _make_teacher(self, path: Path, config: str) -> None:
        seed = path.stem.rsplit("-", 1)[1]
        folder = path.with_suffix("")
        shutil.rmtree(folder, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        words = ["--config", config, "--seed_everything", seed, f"--model.output={path}", *_into(folder)]
        with path.with_suffix(".log").open("w") as output:
            status = _crossx("fit", words, output)
        if status:
            raise InputError(f"teachers: the fit of {path} ended with status {status}; see {output.name}")


def _record(teacher: Path) -> Path:
    """Where the activations of a teacher are recorded."""
    return teacher.with_name(f"{teacher.stem}-activations.safetensors")


def _into(folder: Path) -> list[str]:
    """Overrides that make a folder the run's own."""
    logger = "--trainer.logger=lightning.pytorch.loggers.CSVLogger"
    save = "--trainer.logger.init_args"
    return [logger, f"{save}.save_dir={folder.parent}", f"{save}.name=", f"{save}.version={folder.name}"]


def _crossx(verb: str, words: Sequence[str], output: IO[str]) -> int:
    """Run a command of crossx in a process of its own, and return its status."""
    command = [sys.executable, "-m", "crossx", verb, *words, "--trainer.enable_progress_bar=false"]
    return subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode  # noqa: S603 - ours
