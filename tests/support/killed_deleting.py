"""Work for `support.kills`: batches of photos are deleted, and half of them are replaced."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from crossx.search.gallery.local import LocalGallery
from support.galleries import content, made, unit

BATCH, BATCHES = 32, 12


def prepare(folder: Path) -> None:
    made(folder, BATCH * BATCHES).close()


def work(folder: Path, tell: Callable[[int], None]) -> None:
    gallery = LocalGallery(folder, write=True)
    for batch in range(BATCHES):
        ids = range(1 + batch * BATCH, 1 + (batch + 1) * BATCH)
        if batch % 2:
            gallery.remove(ids)
        else:
            old, vectors = [gallery.photo(i) for i in ids], unit(BATCH, seed=100 + batch)
            gallery.add(
                [replace(p, sha256=content(100 + batch, p.id), vector=v) for p, v in zip(old, vectors, strict=True)]
            )
        tell(batch)


def verify(folder: Path, told: list[int]) -> None:
    with LocalGallery(folder) as gallery:
        assert gallery.check() == []
        there = [photo.id for photo in gallery.scan()]
        left = [i for i in there if i <= BATCH * BATCHES]
        done = BATCHES - len(left) / BATCH
        assert done in (len(told), len(told) + 1), "a batch that is half gone"
        assert left == list(range(BATCH * BATCHES - len(left) + 1, BATCH * BATCHES + 1))
        assert len(there) - len(left) == BATCH * ((int(done) + 1) // 2)
