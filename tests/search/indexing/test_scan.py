import os
from pathlib import Path

import pytest
from support.photo_folders import folder_of

from crossx.core.errors import InputError
from crossx.search.indexing.scan import scan
from crossx.search.photo_files import open_below


def paths(place: Path) -> list[str]:
    return [found.key.path for found in scan(place).files]


def test_photos_are_found_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder_of(tmp_path / "p", ["b/2.JPG", "b/10.png", "a.webp", "c/d/e.bmp", ".hidden.jpg", ".hidden/x.jpg"])
    (tmp_path / "p/notes.txt").write_text("no photo")
    assert paths(tmp_path / "p") == ["a.webp", "b/10.png", "b/2.JPG", "c/d/e.bmp"]
    found = scan(tmp_path / "p")
    assert found.others == 1
    assert found.root == os.path.realpath(tmp_path / "p")
    assert found.files[0].size == (tmp_path / "p/a.webp").stat().st_size


def test_links_count_only_where_they_are_asked_for_and_loops_end(tmp_path: Path) -> None:
    folder_of(tmp_path / "p", ["a/1.jpg"])
    folder_of(tmp_path / "outside", ["2.jpg"])
    (tmp_path / "p/loop").symlink_to(tmp_path / "p")
    (tmp_path / "p/other").symlink_to(tmp_path / "outside")
    (tmp_path / "p/link.jpg").symlink_to(tmp_path / "outside/2.jpg")
    (tmp_path / "p/nothing.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "p/again.jpg").symlink_to(tmp_path / "p/a/1.jpg")
    assert paths(tmp_path / "p") == ["a/1.jpg"]
    found = scan(tmp_path / "p", follow_symlinks=True)
    assert [file.key for file in found.files] == [(f"{tmp_path}/outside", "2.jpg"), (f"{tmp_path}/p", "a/1.jpg")]


def test_what_links_lead_to_can_be_opened_without_a_link(tmp_path: Path) -> None:
    """Links to files and folders, inside and outside, from a folder and from a list that names them."""
    folder_of(tmp_path, ["p/a/1.jpg", "p/.store/2.jpg", "out/deep/3.jpg", "out/4.jpg"])
    for link, target in (("l.jpg", "p/.store/2.jpg"), ("m.jpg", "out/4.jpg"), ("d", "out/deep"), ("e", "p/a")):
        (tmp_path / "p" / link).symlink_to(tmp_path / target)
    (tmp_path / "p/list.txt").write_text("l.jpg\nm.jpg\nd/3.jpg\ne/1.jpg\n")
    for place in ("p", "p/list.txt"):
        keys = [file.key for file in scan(tmp_path / place, follow_symlinks=True).files]
        assert len(keys) == 4
        for root, path in keys:
            with open_below(root, path) as file:
                assert file.read(2) == b"\xff\xd8"
    found = scan(tmp_path / "p/list.txt")
    assert [file.key for file in found.files] == [(f"{tmp_path}/p", "a/1.jpg")]
    assert [remark.partition(": ")[2] for remark in found.remarks] == [
        *["is a link, which only --follow-symlinks takes"] * 2,
        f"must be a file below {tmp_path}/p",
    ]


def test_pipes_and_devices_are_no_photos(tmp_path: Path) -> None:
    folder_of(tmp_path / "p", ["1.jpg"])
    os.mkfifo(tmp_path / "p/pipe.jpg")
    assert paths(tmp_path / "p") == ["1.jpg"]


def test_a_list_names_photos_below_its_folder_or_absolutely(tmp_path: Path) -> None:
    folder_of(tmp_path, ["x/1.jpg", "x/2.jpg", "y/3.jpg"])
    (tmp_path / "list.txt").write_text("x/1.jpg\n\ny/3.jpg\nx/1.jpg\nx/none.jpg\n../out.jpg\n")
    found = scan(tmp_path / "list.txt")
    assert [file.key.path for file in found.files] == ["x/1.jpg", "y/3.jpg"]
    assert len(found.remarks) == 2
    (tmp_path / "list.txt").write_text(f"x/1.jpg\n{tmp_path}/x/2.jpg\n")
    found = scan(tmp_path / "list.txt")
    assert [os.path.join(*file.key) for file in found.files] == [f"{tmp_path}/x/1.jpg", f"{tmp_path}/x/2.jpg"]


def test_a_place_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--photos: must be a folder, or a text file"):
        scan(tmp_path / "none")
    (tmp_path / "film.mp4").touch()
    with pytest.raises(InputError, match=r"must hold photos .* got none .*; it has 1 other files"):
        scan(tmp_path)
