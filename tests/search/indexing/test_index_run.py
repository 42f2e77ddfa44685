import io
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from support.galleries import ENCODER
from support.photo_folders import SIZE, ColourEncoder, folder_of, save_photo

from crossx.pixels.fit import U8
from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.rows import F32, Photo, Skipped
from crossx.search.indexing import run
from crossx.search.indexing.decode import DecodePool
from crossx.search.indexing.progress import Progress, in_words
from crossx.search.indexing.run import Summary, index_files, new_or_changed
from crossx.search.indexing.scan import scan


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodePool]:
    with DecodePool(SIZE, workers=1) as pool:
        yield pool


def index(gallery: LocalGallery, place: Path, encoder: ColourEncoder, pool: DecodePool, batch: int = 4) -> Summary:
    files = new_or_changed(gallery, scan(place).files)
    return index_files(gallery, files, encoder, pool, batch, Progress(len(files), io.StringIO()))


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[LocalGallery]:
    with LocalGallery(tmp_path / "g", write=True, encoder=ENCODER) as gallery:
        yield gallery


def test_only_new_and_changed_files_are_embedded_again(tmp_path: Path, gallery: LocalGallery, pool: DecodePool) -> None:
    place, encoder = folder_of(tmp_path / "p", [f"{i}.png" for i in range(10)]), ColourEncoder()
    (place / "broken.jpg").write_bytes(b"no photo")
    first = index(gallery, place, encoder, pool)
    assert (first.added, len(first.skipped), encoder.seen) == (10, 1, 10)
    assert index(gallery, place, encoder, pool).files == 0
    save_photo(place / "3.png", 77)
    save_photo(place / "new.png", 78)
    again = index(gallery, place, encoder, pool)
    assert (again.added, again.skipped, encoder.seen) == (2, [], 12)
    save_photo(place / "broken.jpg", 79)
    assert index(gallery, place, encoder, pool).added == 1
    assert gallery.count() == 12
    assert gallery.check() == []
    for photo in gallery.scan():
        pixels = load_pixels(place / photo.path)
        np.testing.assert_array_equal(photo.vector, encoder.embed_photos(pixels[None])[0])
        assert gallery.search(photo.vector[None], 1)[0][0].id == photo.id


def load_pixels(path: Path) -> U8:
    from crossx.pixels.decode import open_rgb
    from crossx.pixels.fit import fit_photo

    return fit_photo(open_rgb(path), SIZE)


class Interrupting(ColourEncoder):
    """Sends Ctrl-C to its own process at the second batch."""

    def embed_photos(self, images: U8) -> F32:
        vectors = super().embed_photos(images)
        if self.seen == 8:
            os.kill(os.getpid(), signal.SIGINT)
        return vectors


def test_ctrl_c_commits_what_is_done_and_the_next_run_goes_on(
    tmp_path: Path, gallery: LocalGallery, pool: DecodePool
) -> None:
    place, before = folder_of(tmp_path / "p", [f"{i:02}.png" for i in range(40)]), signal.getsignal(signal.SIGINT)
    stopped = index(gallery, place, Interrupting(), pool)
    assert stopped.stopped
    assert stopped.added == gallery.count() == 8
    encoder = ColourEncoder()
    rest = index(gallery, place, encoder, pool)
    assert (rest.added, rest.stopped) == (32, False)
    assert signal.getsignal(signal.SIGINT) is before


def test_transactions_are_of_a_bounded_size(
    tmp_path: Path, gallery: LocalGallery, pool: DecodePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "TOGETHER", 10)
    sizes: list[int] = []
    add = gallery.add

    def noted(photos: Sequence[Photo], skipped: Sequence[Skipped] = ()) -> list[int]:
        sizes.append(len(photos))
        return add(photos, skipped)

    monkeypatch.setattr(gallery, "add", noted)
    before = threading.active_count()
    index(gallery, folder_of(tmp_path / "p", [f"{i:02}.png" for i in range(30)]), ColourEncoder(), pool)
    assert sizes == [12, 12, 6]
    assert threading.active_count() < before + 10


def test_progress_says_rate_time_left_and_skipped_files(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.5])
    monkeypatch.setattr("crossx.search.indexing.progress.time.monotonic", lambda: next(clock))
    out = io.StringIO()
    progress = Progress(4000, out)
    for done in (500, 1000, 1200, 2050):
        progress.show(done, 3)
    assert out.getvalue().splitlines() == [
        "1,000 of 4,000 files, 100.0 a second, 30 s left, 3 skipped",
        "2,050 of 4,000 files, 100.0 a second, 20 s left, 3 skipped",
    ]
    assert [in_words(s) for s in (0.2, 59, 61, 3600, 7300)] == ["1 s", "59 s", "1 min", "1 h 0 min", "2 h 2 min"]
