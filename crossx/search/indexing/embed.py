"""Files to embedded photos: decoders and encoder work at the same time, and little waits between them."""

import threading
from collections.abc import Iterator, Sequence
from queue import Empty, Full, Queue
from typing import NamedTuple, Protocol

import numpy as np

from crossx.pixels.fit import U8
from crossx.search.gallery.rows import F32, Photo, Skipped
from crossx.search.indexing.decode import Decoded, DecodePool, Failed, Outcome
from crossx.search.indexing.scan import Found

_BATCHES_AHEAD = 4
"""Batches of decoded photos that wait for the encoder at most."""


class PhotoEncoder(Protocol):
    """What embeds photos; `crossx.search.predictor.Predictor` does."""

    def embed_photos(self, images: U8) -> F32:
        """Embed uint8 photos (B, 3, S, S) as unit vectors (B, D)."""


class Embedded(NamedTuple):
    """A batch of files that are done.

    Attributes:
        photos: Embedded photos.
        skipped: Files that are no photos.
        vanished: Number of files that were gone when they were opened.
    """

    photos: list[Photo]
    skipped: list[Skipped]
    vanished: int

    @property
    def files(self) -> int:
        """Number of files."""
        return len(self.photos) + len(self.skipped) + self.vanished


def embed_files(files: Sequence[Found], encoder: PhotoEncoder, pool: DecodePool, batch: int) -> Iterator[Embedded]:
    """Decode and embed files, in their order.

    Args:
        files: The files.
        encoder: What embeds the photos.
        pool: Decoders of the encoder's image size.
        batch: Photos that are embedded at once.
    """
    waiting: list[tuple[Found, Outcome]] = []
    for outcome in _decoded(files, pool, batch):
        waiting.append(outcome)
        if len(waiting) >= batch:
            yield _embedded(waiting, encoder)
            waiting = []
    if waiting:
        yield _embedded(waiting, encoder)


def _decoded(files: Sequence[Found], pool: DecodePool, batch: int) -> Iterator[tuple[Found, Outcome]]:
    """What the pool decodes, in a thread, so that decoders go on while the encoder works."""
    queue: Queue[tuple[Found, Outcome] | BaseException | None] = Queue(_BATCHES_AHEAD * batch)
    stopped = threading.Event()

    def put(item: tuple[Found, Outcome] | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=0.2)
            except Full:
                continue
            return

    def work() -> None:
        try:
            for item in pool.run(files, _BATCHES_AHEAD * batch):
                put(item)
                if stopped.is_set():
                    return
        except BaseException as error:  # raised again where the results are wanted
            put(error)
        put(None)

    thread = threading.Thread(target=work, name="decode", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = queue.get(timeout=0.2)  # with a timeout, so that Ctrl-C is noticed
            except Empty:
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


def _embedded(outcomes: Sequence[tuple[Found, Outcome]], encoder: PhotoEncoder) -> Embedded:
    good = [(found, result) for found, result in outcomes if isinstance(result, Decoded)]
    bad = [(found, result) for found, result in outcomes if isinstance(result, Failed)]
    vectors = encoder.embed_photos(np.stack([result.pixels for _, result in good])) if good else np.empty((0, 0))
    photos = [
        Photo(*found.key, found.size, found.mtime_ns, result.sha256, result.width, result.height, vector)
        for (found, result), vector in zip(good, vectors, strict=True)
    ]
    skipped = [
        Skipped(*found.key, found.size, found.mtime_ns, result.reason) for found, result in bad if not result.vanished
    ]
    return Embedded(photos, skipped, len(bad) - len(skipped))
