"""Index files beside the database: each can be lost, because the database makes it anew."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crossx.core.errors import WorkError
from crossx.search.engines.ivf import IVFEngine
from crossx.search.gallery.lock import Lock
from crossx.search.gallery.truth import Mark, Truth

KEPT = 2
"""Generations that stay: readers may just be opening the one before the newest."""
_STILL = "nothing is lost, and the search is exact without it: make room, and run `crossx gallery rebuild`"
_EDGE = 1 << 16
"""Bytes at either end of an index file that are looked at when it is opened: of all, 500 MB would take a second."""
_NAME = re.compile(r"(\d{8})\.json")


@dataclass(frozen=True)
class CacheCard:
    """What the text beside an index file says.

    Attributes:
        generation: Number of the file.
        encoder: Hash of the encoder.
        dim: Length D of the vectors.
        seq: Newest change that is in the file.
        token: Its token, as hexadecimal digits.
        last_vector: Highest id of a vector up to that change.
        count: Number of vectors.
        kind: Kind of the index.
        parameters: What it was built with.
        probes: Lists that a search looks into.
        recall: Recall@10 of sketches with so many probes; None where no sketches were at hand.
        recall_photos: The same of perturbed photos.
        edges: Hash of the index file's size, beginning and end: what is looked at when it is opened.
        sha256: SHA-256 of the whole file, which `crossx gallery check` looks at.
    """

    generation: int
    encoder: str
    dim: int
    seq: int
    token: str
    last_vector: int
    count: int
    kind: str
    parameters: dict[str, float]
    probes: int
    recall: float | None
    recall_photos: float
    edges: str
    sha256: str

    @property
    def mark(self) -> Mark:
        """State of the database that the file holds."""
        return Mark(self.seq, bytes.fromhex(self.token), self.last_vector)

    @classmethod
    def parse(cls, text: str) -> "CacheCard":
        """Read a card; ValueError when it is none."""
        values: Any = json.loads(text)
        if not isinstance(values, dict) or values.keys() != cls.__dataclass_fields__.keys():
            raise ValueError("it has other fields")
        card = cls(**values)
        numbers = (card.generation, card.dim, card.seq, card.last_vector, card.count, card.probes)
        texts = (card.encoder, card.token, card.kind, card.edges, card.sha256)
        if not all(isinstance(n, int) and n >= 0 for n in numbers) or not all(isinstance(t, str) for t in texts):
            raise ValueError("it has values of another kind")
        _ = card.mark
        return card


class Caches:
    """The folder of index files of a gallery.

    Args:
        folder: The folder; it is made when something is saved.
        truth: The database that they belong to.
    """

    def __init__(self, folder: Path, truth: Truth) -> None:
        self._folder, self._truth = folder, truth
        self.notes: list[str] = []

    def newest_generation(self) -> int:
        """Number of the newest file; 0 for none."""
        return max((number for number, _ in self._cards()), default=0)

    def load(self) -> tuple[CacheCard, IVFEngine] | None:
        """The newest file that is whole and fits the database; `notes` says what is wrong with newer ones."""
        for number, path in sorted(self._cards(), reverse=True):
            try:
                card = CacheCard.parse(path.read_text())
                self._check(card, number)
                if edges_sha256(self._index(number)) != card.edges:
                    raise ValueError("its file is damaged")
                engine = IVFEngine.read(self._index(number), card.probes)
                if len(engine) != card.count or engine.dim != card.dim:
                    raise ValueError("it holds other vectors than its text says")
            except (ValueError, OSError, RuntimeError, MemoryError) as error:  # the last two are FAISS's
                self.note(f"index {number} is left out: {_reason(error)}")
            else:
                return card, engine
        return None

    @contextmanager
    def building(self) -> Iterator[None]:
        """A block in which no other process builds an index; what would end it is found before the work.

        Raises:
            InputError: When another process builds one.
        """
        self._folder.mkdir(exist_ok=True)
        lock = Lock(
            self._folder / "lock", f"gallery: the index of {self._folder.parent} is being built by process {{pid}}"
        )
        try:
            yield
        finally:
            lock.release()

    def save(self, engine: IVFEngine, mark: Mark, recall: float | None, recall_photos: float) -> CacheCard:
        """Write the next generation, whole or not at all, and remove those that are too old; `building` is held.

        Raises:
            WorkError: When the disk is full.
        """
        number = self.newest_generation() + 1
        temporary = self._folder / f".tmp-{number:08}"
        try:
            engine.write(temporary)
        except RuntimeError as error:  # FAISS's word for a full disk
            temporary.unlink(missing_ok=True)
            raise WorkError(
                f"{temporary.parent}: an index cannot be saved ({' '.join(str(error).split())[-200:]}); {_STILL}"
            ) from error
        card = CacheCard(
            number,
            self._truth.encoder.sha256,
            engine.dim,
            mark.seq,
            mark.token.hex(),
            mark.last_vector,
            len(engine),
            "ivf",
            {"lists": engine.lists},
            engine.probes,
            recall,
            recall_photos,
            edges_sha256(temporary),
            file_sha256(temporary),
        )
        _put(temporary, self._index(number))
        temporary.write_text(json.dumps(asdict(card), indent=1))
        _put(temporary, self._folder / f"{number:08}.json")
        self._remove_old(number)
        return card

    def check(self) -> list[str]:
        """What is wrong with any index file."""
        before = len(self.notes)
        for number, path in sorted(self._cards()):
            try:
                card = CacheCard.parse(path.read_text())
                self._check(card, number)
                if file_sha256(self._index(number)) != card.sha256:
                    raise ValueError("its file is damaged")
            except (ValueError, OSError) as error:
                self.note(f"index {number}: {_reason(error)}")
        return self.notes[before:]

    def note(self, text: str) -> None:
        """Keep a sentence about index files, and write it into `index.log` where the folder can be written."""
        self.notes.append(text)
        try:
            with (self._folder.parent / "index.log").open("a") as log:
                log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}\n")
        except OSError:
            pass  # a reader without the right to write has the sentence in `notes`

    def _check(self, card: CacheCard, number: int) -> None:
        """Refuse, by ValueError, a file that does not belong to the database."""
        if card.generation != number:
            raise ValueError("its text is of another generation")
        if (card.encoder, card.dim) != (self._truth.encoder.sha256, self._truth.encoder.dim):
            raise ValueError("it is of another encoder")
        if not self._truth.is_past(card.mark):
            raise ValueError("it is newer than the database, or of another one")

    def _cards(self) -> Iterator[tuple[int, Path]]:
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if named := _NAME.fullmatch(path.name):
                    yield int(named[1]), path

    def _index(self, number: int) -> Path:
        return self._folder / f"{number:08}.faiss"

    def _remove_old(self, newest: int) -> None:
        # Texts first: a text without its index would read as damage after a kill, an index without its text as nothing.
        for path in sorted(self._folder.iterdir(), key=lambda path: path.suffix != ".json"):
            stem = path.name.partition(".")[0]
            too_old = stem.isdigit() and int(stem) <= newest - KEPT
            if too_old or path.name.startswith(".tmp-"):
                path.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def edges_sha256(path: Path) -> str:
    """SHA-256 of a file's size and of its first and last 64 KB: what a cut, a kill or another file changes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_EDGE)
        file.seek(max(0, size - _EDGE))
        return hashlib.sha256(b"%d " % size + head + file.read(_EDGE)).hexdigest()


def _reason(error: Exception) -> str:
    """A fault in words without a path of this machine: a server sends notes to whoever may search."""
    if isinstance(error, OSError):
        return error.strerror or "it cannot be read"
    if isinstance(error, RuntimeError | MemoryError):
        return "FAISS cannot read it"
    return " ".join(str(error).split())[:200]


def _put(temporary: Path, path: Path) -> None:
    """Give a written file its name, so that after a crash the name is there with the whole content, or not at all."""
    _sync(temporary)
    temporary.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
