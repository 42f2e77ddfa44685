"""Work for `support.kills`: an index is saved again and again."""

from collections.abc import Callable
from pathlib import Path

from crossx.search.gallery.cache import Caches
from crossx.search.gallery.local import LocalGallery
from support.galleries import made, unit

VECTORS, SAVES = 500, 8


def prepare(folder: Path) -> None:
    with made(folder, VECTORS) as gallery:
        gallery.choose("ivf")
        gallery.rebuild()


def work(folder: Path, tell: Callable[[int], None]) -> None:
    gallery = LocalGallery(folder, write=True)
    caches = Caches(folder / "index", gallery.truth)
    found = caches.load()
    assert found is not None
    card, engine = found
    for _ in range(SAVES):
        with caches.building():
            generation = caches.save(engine, card.mark, card.recall, card.recall_photos).generation
        tell(generation)


def verify(folder: Path, told: list[int]) -> None:
    with LocalGallery(folder, write=True) as gallery:
        assert gallery.check() == [], "a damaged index has its name"
        assert gallery.status().kind == "ivf"
        card = gallery.rebuild() if not told else None
        newest = Caches(folder / "index", gallery.truth).newest_generation()
        assert newest >= max(told, default=1)
        assert card is None or card.generation == newest
        assert len(gallery.search(unit(1), VECTORS, exact=True)[0]) == VECTORS
