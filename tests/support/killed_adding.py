"""Work for `support.kills`: batches of photos are added."""

from collections.abc import Callable
from pathlib import Path

from crossx.search.gallery.local import LocalGallery
from support.galleries import made, photos

BATCH, BATCHES = 32, 12


def prepare(folder: Path) -> None:
    made(folder).close()


def work(folder: Path, tell: Callable[[int], None]) -> None:
    gallery = LocalGallery(folder, write=True)
    for batch in range(BATCHES):
        gallery.add(photos(BATCH, seed=batch))
        tell(batch)


def verify(folder: Path, told: list[int]) -> None:
    with LocalGallery(folder, write=True) as gallery:
        assert gallery.check() == []
        assert gallery.count() in (BATCH * len(told), BATCH * (len(told) + 1)), "a batch that is half there"
        there = {photo.path for photo in gallery.scan()}
        assert {f"{batch}/{i}.jpg" for batch in told for i in range(BATCH)} <= there, "an acknowledged batch is gone"
        gallery.add(photos(BATCH, seed=len(told)))  # goes on where it was killed
