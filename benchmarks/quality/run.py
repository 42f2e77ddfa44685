"""Measuring rows: what has to be run, and running it."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch

from benchmarks.quality.curve import last_mean, validation_curve
from benchmarks.quality.identity import check_unchanged, digest, file_digest, words_digest
from benchmarks.quality.process import Processes, failure
from benchmarks.quality.progress import watched
from benchmarks.quality.store import Result
from benchmarks.quality.teachers import Trained, inputs_of, into, teachers_of
from benchmarks.quality.types import Benchmark, Row
from crossx.core.errors import InputError
from crossx.core.tensor_files import write_text
from crossx.core.version import __version__
from crossx.types import MODALITIES, Split

_PAIRS = ("recon/agreement", "recon/photo_diversity", "recon/sketch_diversity")
"""Columns of a run's table that say how good its pairs were."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """One row to be measured with one seed.

    Attributes:
        benchmark: The benchmark.
        row: One of its rows.
        seed: Number of the teacher pair, and seed of the fit.
        split: Which images are measured.
        folder: Where teachers, run folders and results go.
        overrides: Words behind all others, of every run.
    """

    benchmark: Benchmark
    row: Row
    seed: int
    split: Split
    folder: Path
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called where progress is told."""
        return f"{self.row.name}, seed {self.seed}"

    @property
    def teachers(self) -> dict[str, Trained]:
        """Its classifiers by the part they play."""
        return teachers_of(self.benchmark, self.row, self.seed, self.folder / "teachers" / self.benchmark.name)

    def _words(self, seed: int, files: Mapping[str, str]) -> list[str]:
        words = _flat((*self.benchmark.configs, *self.row.configs))
        words += ["--seed_everything", str(seed)]
        words += [f"--teachers.{modality}={files[modality]}" for modality in MODALITIES]
        terms = "--model.reconstruction.init_args.terms"
        if self.row.records:
            place = f"{terms}.moments.loss.init_args"
            words += [f"{place}.{modality}={files[f'{modality} activations']}" for modality in MODALITIES]
        if self.row.modality:
            words.append(f"{terms}.modality.loss.init_args.discriminator={files['modality']}")
        return [*words, *self.row.words, *self.overrides]

    @property
    def inputs(self) -> dict[str, Path]:
        """Part that a file plays -> the file, of all that the benchmark makes for it."""
        return inputs_of(self.row, self.teachers)

    @property
    def words(self) -> list[str]:
        """What its command lines say behind the subcommand, places apart."""
        return self._words(self.seed, {part: str(path) for part, path in self.inputs.items()})

    @property
    def measured_words(self) -> list[str]:
        """The same with what is the measurement's own."""
        return [*self.words, *_flat(self.row.measured)]

    def _identity_words(self, verb: str) -> tuple[str, ...]:
        """A command line with the parts that files play in place of the files, and one seed: equal for all seeds."""
        measured = () if verb == "fit" else _flat(self.row.measured)
        return (verb, *self._words(0, {part: part for part in self.inputs}), *measured)

    def fit_digest(self) -> str:
        """Hash of what is trained, the same for rows that measure one fit in different ways."""
        teachers = {part: trained.digest() for part, trained in self.teachers.items()}
        return digest([words_digest(self._identity_words("fit")), self.seed, teachers])

    def digest(self) -> str:
        """Hash of what is trained and of what is measured.

        Raises:
            InputError: When a config cannot be read.
        """
        measurement = self.row.measured and words_digest(self._identity_words("validate"))
        return digest([self.fit_digest(), measurement, self.row.baseline, self.row.trains])

    def _kept(self, failed: str = "") -> Result | None:
        """What an earlier attempt with these configs gave, a success or a failure; None where there was none."""
        folder = self.folder / "results"
        if not any((folder / self.benchmark.name).glob(f"{self.row.name}-{self.seed}-{self.split}-*.json")):
            return None  # and no config need be read
        expected = self._result(self._digest_or_nothing(), failed=failed)
        path = expected.place(folder)
        found = Result.read(path) if path.is_file() else None
        return found if found is not None and found.config == expected.config else None

    def failure(self) -> Result | None:
        """The last failure with these configs, unless a success came after it; None where there is none.

        Raises:
            InputError: When its place holds another file.
        """
        return self._kept(failed="earlier")

    def _digest_or_nothing(self) -> str:
        """Its hash, or nothing where a config cannot be read."""
        try:
            return self.digest()
        except InputError:
            return ""

    def stored(self) -> Result | None:
        """The earlier success that still holds: same configs, same teachers; None where there is none.

        Raises:
            InputError: When its place holds another file.
        """
        found = self._kept()
        if found is None or not all(path.is_file() for path in self.inputs.values()):
            return None
        current = all(trained.is_current() for trained in self.teachers.values())
        return found if current and found.files == self._files() else None

    def _files(self) -> dict[str, str]:
        return {part: file_digest(path) for part, path in self.inputs.items()}

    def _result(self, config: str, **values: object) -> Result:
        return Result(self.benchmark.name, self.row.name, self.seed, self.split, config, **values)  # type: ignore[arg-type]  # by name, from this file alone

    def fit_folder(self) -> Path:
        """Where its fit lies: rows that measure one fit in different ways share it."""
        identity = digest([self.fit_digest(), self._files()])[:12]
        return self.folder / "runs" / self.benchmark.name / f"{self.seed}-{identity}"

    @property
    def _done(self) -> Path:
        """Written when a fit has ended well: with what it was made."""
        return self.fit_folder() / "done.json"

    def has_fit(self) -> bool:
        """Whether what it measures is there already."""
        return not self.row.trains or self._done.is_file()

    def retrieved(self) -> Path:
        """Ranked lists of the measurement."""
        return self.fit_folder() / f"{self.row.name}-{self.split}" / "retrieval" / f"{self.split}.csv"

    def fail(self, reason: str) -> Result:
        """Say that it could not be run."""
        result = self._result(self._digest_or_nothing(), failed=reason)
        result.write(self.folder / "results")
        return result

    def run(self, processes: Processes) -> Result:
        """Fit, where that has not been done, and measure.

        A row that diverges or cannot be run gives a result that says so. One that is interrupted gives none: what it
        left is removed at the next attempt, so that it gives the same figures whether it was interrupted or not.
        """
        try:
            result = self._run(processes, self.digest())
        except (InputError, OSError, KeyError, ValueError) as error:  # a config, a missing file, what a run left behind
            return self.fail(str(error) if isinstance(error, InputError) else repr(error))
        result.write(self.folder / "results")
        return result

    def _run(self, processes: Processes, config: str) -> Result:
        folder, weights, fitted_with, measured_with = self.fit_folder(), [], {}, environment()
        fit, log = folder / "fit", folder / f"{self.row.name}-{self.split}.log"
        log.unlink(missing_ok=True)
        seconds, curve, pairs = 0.0, [], {}
        if self.row.trains:
            if not self.has_fit():
                self._fit(processes, fit)
            fitted_with = json.loads(self._done.read_text())
            about = json.loads((fit / "results.json").read_text())
            seconds = about["seconds"]
            curve = validation_curve(fit / "metrics.csv", about["step"], about["at_start"].get("map_all"))
            pairs = last_mean(fit / "metrics.csv", _PAIRS)
            weights = ["--ckpt_path", str(fit / "checkpoints" / "last.ckpt")]
        verb = "test" if self.split == "test" else "validate"
        place = folder / f"{self.row.name}-{self.split}"
        shutil.rmtree(place, ignore_errors=True)
        if status := processes.crossx([verb, *self.measured_words, *weights, *into(place)], log):
            raise failure(f"crossx {verb}", status, log)
        check_unchanged(self._identity_words("validate" if self.row.measured else "fit"))
        found = json.loads((place / "results.json").read_text())
        metrics, ap_all, at_recall = found["metrics"], found["ap_all"], found["precision_at_recall"]
        if (baseline := self.row.baseline) is not None:
            metrics, ap_all = found["baselines"][baseline], found["baselines_ap_all"][baseline]
            at_recall = found["baselines_precision_at_recall"][baseline]
        return self._result(
            config,
            files=self._files(),
            metrics=metrics,
            ap_all=ap_all,
            labels=found["labels"],
            classes=found["classes"],
            precision_at_recall=at_recall,
            pairs=pairs,
            curve=curve,
            posterior=found["posterior"] if self.row.baseline == "posterior" else {},
            seconds=seconds,
            fitted_with=fitted_with,
            measured_with=measured_with,
        )

    def _fit(self, processes: Processes, fit: Path) -> None:
        shutil.rmtree(fit, ignore_errors=True)
        log = fit.with_suffix(".log")
        log.unlink(missing_ok=True)
        fitted_with = environment()
        with watched(self.name, fit):
            status = processes.crossx(["fit", *self.words, *into(fit)], log)
        if status:
            raise failure("the fit", status, log)
        check_unchanged(self._identity_words("fit"))
        write_text(self._done, json.dumps(fitted_with) + "\n")


def _flat(measured: Sequence[str]) -> list[str]:
    """Configs and overrides of a measurement as words of a command line."""
    return [word for item in measured for word in ([item] if item.startswith("--") else ["--config", item])]


def environment() -> dict[str, str]:
    """What figures are measured with."""
    commit, changed = _git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "-uno")
    return {
        "crossx": __version__,
        "commit": f"{commit or 'unknown'}{' with changes' if changed else ''}",
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "python": platform.python_version(),
        "threads": os.environ.get("OMP_NUM_THREADS", "1"),
        "machine": platform.machine(),
        "cpu": _cpu(),
        **_gpus(),
    }


def _gpus() -> dict[str, str]:
    """The accelerators, where there are any: configs take all of them, so their number decides how large a batch is."""
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"gpus": ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))} if names else {}


def _cpu() -> str:
    """Name of the processor and the instructions that torch uses: with other ones sums have other last digits."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(names, platform.processor()) or 'unknown'}, {torch.backends.cpu.get_cpu_capability()}"


def _git(*words: str) -> str:
    """What git says of this checkout; nothing where it is none."""
    command = ["git", "-C", str(Path(__file__).parent), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - ours
    except (OSError, subprocess.CalledProcessError):
        return ""
