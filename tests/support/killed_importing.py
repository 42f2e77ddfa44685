"""Work for `support.kills`: shards of embeddings are imported."""

from collections.abc import Callable
from pathlib import Path

from crossx.search.gallery.local import LocalGallery
from crossx.search.shards.files import About, close_part, write_shard
from crossx.search.shards.imports import import_shards
from support.galleries import ENCODER, photos

SHARDS, ROWS = 8, 40


def prepare(folder: Path) -> None:
    folder.mkdir()
    about = About(ENCODER, "/nowhere", "/photos", 1, 1)
    for i in range(SHARDS):
        write_shard(folder, i, about, photos(ROWS, seed=i), [])
    close_part(folder, about, SHARDS)


def work(folder: Path, tell: Callable[[int], None]) -> None:
    add = LocalGallery.add

    def told(self: LocalGallery, *batch: object) -> list[int]:
        ids = add(self, *batch)  # type: ignore[arg-type]
        if ids:
            tell(len(ids))
        return ids

    LocalGallery.add = told  # type: ignore[method-assign,assignment]
    list(import_shards(folder, str(folder / "gallery"), None, ""))


def verify(folder: Path, told: list[int]) -> None:
    place = folder / "gallery"
    if told:
        with LocalGallery(place) as gallery:
            assert gallery.check() == []
            assert gallery.count() in (sum(told), sum(told) + ROWS), "a shard that is half there"
    list(import_shards(folder, str(place), None, ""))  # the same again goes on where it was killed
    with LocalGallery(place) as gallery:
        assert gallery.check() == []
        assert {photo.path for photo in gallery.scan()} == {f"{i}/{j}.jpg" for i in range(SHARDS) for j in range(ROWS)}
