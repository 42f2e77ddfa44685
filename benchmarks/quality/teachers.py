"""The classifiers that rows start from, and what rows want to know of them; made where they are missing."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch.utils.data import DataLoader

from benchmarks.quality.identity import check_unchanged, digest, file_digest, words_digest
from benchmarks.quality.process import Processes, failure
from benchmarks.quality.progress import watched
from benchmarks.quality.resolve import teacher_data
from benchmarks.quality.types import Benchmark, Row, Teacher
from crossx.baselines.meta_data import TEACHER, record_activations
from crossx.core.errors import InputError
from crossx.core.tensor_files import read_safetensors, write_text
from crossx.data.base import collate_images
from crossx.teachers.teacher import load_teacher
from crossx.types import MODALITIES

OTHER_START = 10
"""Added to the sketch teacher's seed where the two are to start from different weights."""
_RECORDED_AT_ONCE = 256


@dataclass(frozen=True)
class Trained:
    """A teacher of one seed and its file; the words that made it lie beside it, as a hash.

    Attributes:
        teacher: How it is trained.
        seed: Of its start and of its batches.
        path: Its `.safetensors` file.
    """

    teacher: Teacher
    seed: int
    path: Path

    @property
    def words(self) -> list[str]:
        """What its command line says behind `fit`, places apart."""
        return self._words(self.seed)

    def _words(self, seed: int) -> list[str]:
        return ["--config", self.teacher.config, "--seed_everything", str(seed), *self.teacher.words]

    @property
    def folder(self) -> Path:
        """Of its run."""
        return self.path.with_suffix("")

    @property
    def log(self) -> Path:
        """Where its training is told."""
        return self.path.with_suffix(".log")

    @property
    def record(self) -> Path:
        """Where its activations over its training data are recorded."""
        return self.path.with_name(f"{self.path.stem}-activations.safetensors")

    def digest(self) -> str:
        """Hash of its resolved config."""
        return digest([words_digest(self._identity_words), self.seed])

    @property
    def _identity_words(self) -> tuple[str, ...]:
        """Equal for all seeds."""
        return ("fit", *self._words(0))

    def is_current(self) -> bool:
        """Whether its file is there and was made by the config as it is now."""
        note = self.path.with_suffix(".json")
        if not (self.path.is_file() and note.is_file()):
            return False
        try:
            found = json.loads(note.read_text())
        except ValueError:
            return False
        return bool(found == self._note())

    def _note(self) -> dict[str, str]:
        return {"config": self.digest(), "file": file_digest(self.path)}

    def adopt(self) -> None:
        """Note that its file was made by its config as it is now."""
        write_text(self.path.with_suffix(".json"), json.dumps(self._note()) + "\n")

    def make(self, processes: Processes) -> None:
        """Train it.

        Raises:
            InputError: When its training fails.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        for file in (self.path.with_suffix(".json"), self.record, self.log):
            file.unlink(missing_ok=True)
        words = ["fit", *self.words, f"--model.output={self.path.resolve()}", *into(self.folder)]
        with watched(f"teacher {self.path.stem}", self.folder):
            status = processes.crossx(words, self.log)
        if status:
            raise failure(f"the training of teacher {self.path.stem}", status, self.log)
        check_unchanged(self._identity_words)
        self.adopt()

    def make_record(self) -> None:
        """Record its activations, where that has not been done for this very file."""
        teacher = load_teacher(self.path)
        if self.record.is_file() and read_safetensors(self.record, "record")[1].get(TEACHER) == teacher.hash:
            return
        images = DataLoader(teacher_data(self.words), _RECORDED_AT_ONCE, collate_fn=collate_images)
        record_activations(teacher, (batch.image for batch in images), self.record)


def into(folder: Path) -> list[str]:
    """Overrides that make a folder the run's own."""
    logger = "--trainer.logger=lightning.pytorch.loggers.CSVLogger"
    save = "--trainer.logger.init_args"
    words = [logger, f"{save}.save_dir={folder.parent}", f"{save}.name=", f"{save}.version={folder.name}"]
    return [*words, "--trainer.enable_progress_bar=false"]


def teachers_of(benchmark: Benchmark, row: Row, seed: int, folder: Path) -> dict[str, Trained]:
    """The classifiers of a row by the part they play: `photo`, `sketch`, and `modality` where it is wanted.

    Args:
        benchmark: The benchmark.
        row: One of its rows.
        seed: Number of the teacher pair.
        folder: Where the benchmark's teachers lie.
    """
    own_start = 0 if row.shared_start else OTHER_START
    wanted = {
        "photo": (row.photo or benchmark.photo, seed),
        "sketch": (row.sketch or benchmark.sketch, seed + own_start),
    }
    if row.modality:
        if benchmark.modality is None:
            raise InputError(f"{benchmark.name}: {row.name} wants a classifier of photos and sketches, and has none")
        wanted["modality"] = (benchmark.modality, seed)
    return {
        part: Trained(teacher, s, folder / f"{teacher.name}-{s}.safetensors") for part, (teacher, s) in wanted.items()
    }


def inputs_of(row: Row, teachers: Mapping[str, Trained]) -> dict[str, Path]:
    """Part that a file plays -> the file, of all that the benchmark makes for a row."""
    files = {part: trained.path for part, trained in teachers.items()}
    if row.records:
        files |= {f"{m} activations": teachers[m].record for m in MODALITIES}
    return files
