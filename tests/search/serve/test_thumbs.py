"""Small pictures on disk: kept up to a bound, by several servers if need be."""

import os
from pathlib import Path

import pytest
from PIL import Image
from support.photo_folders import photo

from crossx.search.photo_pictures import thumbnail
from crossx.search.serve.thumbs import Thumbs


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (400, 200), "blue").save(tmp_path / "blue.jpg")
    return tmp_path / "blue.jpg"


def test_thumbnails_are_kept_and_the_oldest_go(tmp_path: Path) -> None:
    paths = []
    for i in range(6):
        path = tmp_path / f"{i}.png"
        Image.effect_noise((160, 160), 60 + i).save(path)
        paths.append(photo(path))
    size = len(thumbnail(paths[0], 160))
    thumbs = Thumbs(tmp_path / "thumbs", most=int(size * 4.5))
    for i, one in enumerate(paths):
        thumbs.get(one, 160)
        if i == 3:
            for n, kept in enumerate(sorted((tmp_path / "thumbs").glob("??/*"))):
                os.utime(kept, (n + 1, n + 1))
            thumbs.get(paths[0], 160)  # looked at again
    left = list((tmp_path / "thumbs").glob("??/*"))
    assert sum(file.stat().st_size for file in left) <= size * 4.5
    assert thumbs._place(paths[0], 160) in left
    assert thumbs._place(paths[-1], 160) in left


def test_a_kept_thumbnail_needs_no_file_and_a_changed_file_has_another(picture: Path, tmp_path: Path) -> None:
    thumbs, first = Thumbs(tmp_path / "thumbs"), photo(picture)
    made = thumbs.get(first, 160)
    Image.new("RGB", (50, 50), "green").save(picture)
    assert thumbs.get(photo(picture), 160) != made
    picture.unlink()
    assert thumbs.get(first, 160) == made


def test_a_folder_that_cannot_be_written_costs_time_alone(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "thumbs").write_text("a file where the folder should be")
    assert Thumbs(tmp_path / "thumbs").get(photo(picture), 160) == thumbnail(photo(picture), 160)


def test_two_servers_may_write_the_same_picture_at_once(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second begins when the first has written half: threads of two processes may have the same number."""
    servers, row, whole = [Thumbs(tmp_path / "thumbs") for _ in range(2)], photo(picture), Path.write_bytes

    def halting(path: Path, content: bytes) -> int:
        monkeypatch.setattr(Path, "write_bytes", whole)
        whole(path, content[:10])
        servers[1].get(row, 160)
        assert path.exists()  # still the first one's own
        return whole(path, content)

    monkeypatch.setattr(Path, "write_bytes", halting)
    made = servers[0].get(row, 160)
    (kept,) = (tmp_path / "thumbs").glob("??/*")
    assert kept.read_bytes() == made == thumbnail(row, 160)
