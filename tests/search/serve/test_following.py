"""The server follows its gallery whatever happens, and does not try in every second what has just failed."""

from pathlib import Path

import pytest
from support.galleries import made, photos

from crossx.core.errors import WorkError
from crossx.search.gallery.local import LocalGallery
from crossx.search.serve.follow import Follower


@pytest.mark.parametrize("error", [WorkError("no room"), MemoryError(), RuntimeError("FAISS"), PermissionError()])
def test_a_building_that_fails_is_tried_again_later_and_the_following_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    clock, tries = [0.0], list[float]()
    monkeypatch.setattr("crossx.search.serve.follow.time.monotonic", lambda: clock[0])

    def fail(_: LocalGallery) -> None:
        tries.append(clock[0])
        raise error

    monkeypatch.setattr(LocalGallery, "rebuild", fail)
    with made(tmp_path / "g", 50) as writer, LocalGallery(tmp_path / "g") as reader:
        writer.choose("ivf")
        follower = Follower(reader)
        for second in range(200):
            clock[0] = float(second)
            follower.look()
        assert tries == [0, 60, 180]
        assert [type(error).__name__ in record.message for record in caplog.records] == [True] * 3
        writer.add(photos(5, seed=1))
        follower.look()
        assert follower.indexing
        assert reader.status().side == 55
