"""Work for `support.kills`: photos whose files are gone are removed, a few in each transaction."""

from collections.abc import Callable
from pathlib import Path

from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.rows import FileKey
from crossx.search.indexing import gone
from crossx.search.indexing.folder import remove_gone
from crossx.search.indexing.scan import Found, Scan
from support.galleries import made, photos

ROWS, KEPT, TOGETHER = 400, 100, 25


def prepare(folder: Path) -> None:
    made(folder, ROWS).close()


def work(folder: Path, tell: Callable[[int], None]) -> None:
    gone.REMOVED_TOGETHER = TOGETHER
    remove = LocalGallery.remove

    def told(self: LocalGallery, ids: list[int]) -> int:
        number = remove(self, ids)
        tell(number)
        return number

    LocalGallery.remove = told  # type: ignore[method-assign,assignment]
    with LocalGallery(folder, write=True) as gallery:
        remove_gone(gallery, _found(), many=True)


def verify(folder: Path, told: list[int]) -> None:
    with LocalGallery(folder, write=True) as gallery:
        assert gallery.check() == []
        assert gallery.count() in (ROWS - sum(told), ROWS - sum(told) - TOGETHER), "a transaction that is half there"
        remove_gone(gallery, _found(), many=True)
        assert {photo.path for photo in gallery.scan()} == {f"0/{i}.jpg" for i in range(KEPT)}


def _found() -> Scan:
    files = [Found(FileKey(photo.root, photo.path), photo.size, photo.mtime_ns) for photo in photos(KEPT)]
    return Scan("/photos", files)
