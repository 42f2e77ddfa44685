"""A folder into a gallery, resumably: what is committed is known, and is not done again."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from types import FrameType
from typing import Protocol

from crossx.search.gallery.rows import FileKey, Known, Photo, Skipped
from crossx.search.indexing.decode import DecodePool
from crossx.search.indexing.embed import Embedded, PhotoEncoder, embed_files
from crossx.search.indexing.progress import Progress
from crossx.search.indexing.scan import Found

TOGETHER = 1024
"""Photos of one transaction."""
_SECONDS = 30.0
"""Longest time between two transactions: so much work is lost at most."""


class Store(Protocol):
    """What takes embedded photos: a gallery."""

    def state(self, keys: Sequence[FileKey]) -> dict[FileKey, Known]:
        """What is known of files."""

    def add(self, photos: Sequence[Photo], skipped: Sequence[Skipped] = ()) -> object:
        """Add photos and note skipped files, durably."""


@dataclass
class Summary:
    """What an index run has done.

    Attributes:
        added: Photos that were added or replaced.
        skipped: Files that were skipped.
        vanished: Files that were gone when they were opened.
        stopped: Whether Ctrl-C has ended the run before its end.
    """

    added: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    vanished: int = 0
    stopped: bool = False

    @property
    def files(self) -> int:
        """Number of files that are done."""
        return self.added + len(self.skipped) + self.vanished


def new_or_changed(store: Store, files: Sequence[Found]) -> list[Found]:
    """Files that a gallery does not have as they are now; skipped ones are tried again only when they have changed."""
    news = []
    for start in range(0, len(files), TOGETHER):
        part = files[start : start + TOGETHER]
        known = store.state([found.key for found in part])
        for found in part:
            entry = known.get(found.key)
            if entry is None or (entry.size, entry.mtime_ns) != (found.size, found.mtime_ns):
                news.append(found)
    return news


def index_files(
    store: Store, files: Sequence[Found], encoder: PhotoEncoder, pool: DecodePool, batch: int, progress: Progress
) -> Summary:
    """Decode, embed and add files; Ctrl-C commits what is done and ends the run.

    Args:
        store: The gallery.
        files: The files; see `new_or_changed`.
        encoder: What embeds the photos.
        pool: Decoders of the encoder's image size.
        batch: Photos that are embedded at once.
        progress: Where the progress is shown.
    """
    summary = Summary()
    photos: list[Photo] = []
    skipped: list[Skipped] = []

    def commit() -> None:
        if photos or skipped:
            store.add(photos, skipped)
            summary.added += len(photos)
            summary.skipped += skipped
            photos.clear()
            skipped.clear()

    with _interruption_noted() as interrupted:
        last = monotonic()
        for done in _until(interrupted, embed_files(files, encoder, pool, batch)):
            photos += done.photos
            skipped += done.skipped
            summary.vanished += done.vanished
            if len(photos) >= TOGETHER or monotonic() - last > _SECONDS:
                commit()
                last = monotonic()
            progress.show(summary.files + len(photos) + len(skipped), len(summary.skipped) + len(skipped))
        commit()
        summary.stopped = bool(interrupted)
    progress.end()
    return summary


def _until(interrupted: list[int], batches: Iterator[Embedded]) -> Iterator[Embedded]:
    for batch in batches:
        yield batch
        if interrupted:
            return


@contextmanager
def _interruption_noted() -> Iterator[list[int]]:
    """Keep Ctrl-C for the end of the batch; a second one ends the program as usual."""
    noted: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if noted:
            raise KeyboardInterrupt
        noted.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
