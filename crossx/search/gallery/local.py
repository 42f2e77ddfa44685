"""A gallery in a folder: SQLite holds the truth, an index beside it makes large ones fast."""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.errors import InputError
from crossx.search.gallery.build import build
from crossx.search.gallery.cache import CacheCard, Caches
from crossx.search.gallery.changes import Changes
from crossx.search.gallery.check import check
from crossx.search.gallery.lock import Lock
from crossx.search.gallery.packing import check_vectors
from crossx.search.gallery.permitted import Permitted
from crossx.search.gallery.rows import EXACT, F32, EncoderIdentity, FileKey, Hit, How, Known, Photo, Skipped, Status
from crossx.search.gallery.truth import Truth
from crossx.search.gallery.view import View

EXACT_BELOW = 200_000
"""Vectors up to which exact search is quick enough for everybody (about 15 ms)."""
KINDS = ("auto", "exact", "ivf")
"""Ways to search: exact up to `EXACT_BELOW` vectors and by an index above, always exact, always by an index."""


class LocalGallery:
    """A gallery in a folder, as `Gallery` in `crossx.search.gallery.protocol` describes it.

    One process writes at a time; any number read, and see committed states. A reader calls `follow` to see what a
    writer has added. Methods may be called from several threads.

    Args:
        folder: The folder.
        write: Whether to open it for writing; it is made where it is not there and `encoder` is given.
        encoder: The encoder; must be that of the gallery, where there is one.

    Raises:
        InputError: When the folder is no gallery, is damaged, is of another encoder, or another process writes.
    """

    def __init__(self, folder: Path, write: bool = False, encoder: EncoderIdentity | None = None) -> None:
        self.folder = folder
        self._lock: Lock | None = None
        if write:
            if encoder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            if not folder.is_dir():
                raise InputError(f"gallery: {folder} must be a gallery, which `crossx index` makes; there is none")
            busy = f"gallery: {folder} is being written by process {{pid}}; wait until it has ended"
            self._lock = Lock(folder / "lock", busy)
        try:
            self.truth = Truth(folder / "gallery.db", write, encoder)
        except BaseException:
            self._release()
            raise
        self._changes = Changes(self.truth) if write else None
        self._caches = Caches(folder / "index", self.truth)
        self._looked_at = 0
        self._view: View | None = None
        self._guard = threading.RLock()
        self._found_under = lru_cache(maxsize=8)(self._photos_under)

    @property
    def name(self) -> str:
        """The folder's name."""
        return str(self.folder)

    @property
    def encoder(self) -> EncoderIdentity:
        """The encoder that the gallery was made with."""
        return self.truth.encoder

    @property
    def kind(self) -> str:
        """How the gallery is to be searched, one of `KINDS`."""
        return self.truth.setting("index", "auto")

    def count(self) -> int:
        """Number of photos."""
        return self.truth.count()

    def state(self, keys: Sequence[FileKey]) -> dict[FileKey, Known]:
        """What is known of files; an unknown file has no entry."""
        return self.truth.state(keys)

    def folders(self) -> list[str]:
        """Absolute paths of the folders that were indexed."""
        return sorted(self.truth.roots())

    def add(self, photos: Sequence[Photo], skipped: Sequence[Skipped] = ()) -> list[int]:
        """Add photos and note skipped files in one transaction; returns the ids when it is durable."""
        return self._writing.add(photos, skipped)

    def remove(self, ids: Iterable[int]) -> int:
        """Remove photos in one transaction; returns how many were there."""
        return self._writing.remove(ids)

    def forget_skipped(self, keys: Sequence[FileKey]) -> None:
        """Remove notes about skipped files."""
        self._writing.forget_skipped(keys)

    def set_probes(self, vectors: F32) -> None:
        """Store vectors of sketches, (n, D), with which recall is measured when an index is built."""
        self._writing.set_probes(vectors)

    def setting(self, key: str) -> str:
        """A setting that is kept in the gallery; empty where nobody has set it."""
        return self.truth.setting(key, "")

    def set_setting(self, key: str, value: str) -> None:
        """Keep a setting in the gallery."""
        self._writing.set_setting(key, value)

    def skipped(self) -> list[Skipped]:
        """All files that were skipped, by path."""
        return self.truth.skipped()

    def has_probes(self) -> bool:
        """Whether there are sketches with which recall can be measured."""
        return len(self.truth.probes()) > 0

    def choose(self, kind: str) -> None:
        """Choose how the gallery is to be searched.

        Args:
            kind: One of `KINDS`.
        """
        must_be_one_of("--index", kind, KINDS)
        self._writing.set_setting("index", kind)

    def search(self, vectors: F32, k: int, offset: int = 0, under: str = "", exact: bool = False) -> list[list[Hit]]:
        """The pictures that are most similar to each vector; see `Gallery.search`."""
        must_be_in("k", k, "[1, inf)")
        must_be_in("offset", offset, "[0, inf)")
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        check_vectors(vectors, self.encoder.dim, "vectors")
        view = self._current()
        permitted = self._permitted(under)
        found = view.find(vectors, k + offset, None if permitted is None else permitted.vectors, exact)
        return self._scored(vectors, found, permitted, k, offset)

    def how(self, under: str = "", exact: bool = False) -> How:
        """How such a search compares photos: in a folder, all of its photos."""
        card = self._current().card
        if card is None or exact or self._permitted(under) is not None:
            return EXACT
        return How(exact=False, recall=card.recall)

    def follow(self) -> bool:
        """See what was committed since; returns whether there was anything.

        A newer index, such as one that another process has built, is taken over; searches go on meanwhile. One that
        cannot be used is looked at once.
        """
        with self._guard:
            before = self._current()
            newer = self.kind != "exact" and self._caches.newest_generation() > self._looked_at
            self._view = after = self._opened() if newer else before.followed(self.truth)
            return after.mark != before.mark

    def due(self) -> bool:
        """Whether the index should be built anew."""
        view = self._current()
        return view.is_worn() and self._wants_index(view.count)

    def rebuild(self) -> CacheCard | None:
        """Build the index anew where the gallery is to have one; searches go on meanwhile with the old one.

        Raises:
            InputError: When another process builds one.
            WorkError: When the disk is full.
        """
        if not self._wants_index(self.truth.vectors()):
            return None
        card = build(self.truth, self._caches)
        with self._guard:
            self._view = self._opened()
        return card

    def status(self) -> Status:
        """How the gallery searches at present."""
        view = self._current()
        card = view.card
        parameters = (
            {} if card is None else {**card.parameters, "probes": card.probes, "recall_photos": card.recall_photos}
        )
        return Status(
            self.count(),
            view.count,
            self.truth.skipped_count(),
            "exact" if card is None else card.kind,
            1.0 if card is None else card.recall,
            parameters,
            len(view.side),
            len(view.gone),
            view.mark.seq,
            self.due(),
            tuple(self._caches.notes),
        )

    def check(self) -> list[str]:
        """What is wrong with any file of the gallery; empty where nothing is."""
        return [*check(self.truth), *self._caches.check()]

    def photo(self, id: int) -> Photo:  # noqa: A002 - the field's word
        """A photo with its vector; KeyError when there is none with this id."""
        return self.truth.photo(id)

    def scan(self, after: int = 0) -> Iterator[Photo]:
        """All photos with an id above `after`, by id."""
        return self.truth.scan(after)

    def close(self) -> None:
        """Close the files and give the lock back."""
        self.truth.database.close()
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _writing(self) -> Changes:
        if self._changes is None:
            raise RuntimeError("the gallery is open for reading alone")
        return self._changes

    def _current(self) -> View:
        view = self._view
        if view is not None and self._changes is None:  # a reader does not wait while `follow` opens an index
            return view
        with self._guard:
            if self._view is None:
                self._view = self._opened()
            elif self._changes is not None:  # a writer sees its own changes at once
                self._view = self._view.followed(self.truth)
            return self._view

    def _opened(self) -> View:
        if self.kind == "exact":
            return View.open(self.truth, None)
        self._looked_at = self._caches.newest_generation()
        return View.open(self.truth, self._caches)

    def _permitted(self, under: str) -> Permitted | None:
        """What a search in a folder may find; None for all."""
        return self._found_under(os.path.normpath(under), self.truth.mark().seq) if under else None

    def _photos_under(self, under: str, _seq: int) -> Permitted | None:
        """The photos in a folder; kept by the number of the newest change, with which they end."""
        return self.truth.photos_under(under)

    def _wants_index(self, vectors: int) -> bool:
        return vectors > 0 and (self.kind == "ivf" or (self.kind == "auto" and vectors > EXACT_BELOW))

    def _scored(
        self, queries: F32, found: list[np.ndarray], permitted: Permitted | None, k: int, offset: int
    ) -> list[list[Hit]]:
        """Score candidates again from the stored vectors, whatever has found them."""
        ids, matrix = self.truth.vectors_of(np.unique(np.concatenate(found)).tolist() if found else [])
        photos = (permitted or self.truth).photos_of(ids.tolist())
        answers = []
        for query, candidates in zip(queries, found, strict=True):
            places = np.flatnonzero(np.isin(ids, candidates))
            # In float64, whose sums do not depend on their order; so a score is the same from any engine and any k.
            scores = (matrix[places].astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
            hits = [
                Hit(photos[vector][0], score, tuple(photos[vector][1:]))
                for vector, score in zip(ids[places].tolist(), scores.tolist(), strict=True)
                if photos.get(vector)
            ]
            answers.append(sorted(hits, key=lambda hit: (-hit.score, hit.id))[offset : offset + k])
        return answers

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
