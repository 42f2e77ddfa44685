"""Photos are opened below their folder and nowhere else."""

import os
import socket
import time
from pathlib import Path

import pytest

from crossx.search.photo_files import NoPhotoError, open_below


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    (root / "inner").mkdir(parents=True)
    (root / "inner/a.jpg").write_bytes(b"a")
    (tmp_path / "secret").write_bytes(b"secret")
    return root


def test_a_file_in_a_folder_is_opened(root: Path) -> None:
    with open_below(str(root), "inner/a.jpg") as file:
        assert file.read() == b"a"


def test_a_root_may_itself_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    with open_below(str(tmp_path / "link"), "inner/a.jpg") as file:
        assert file.read() == b"a"


def test_a_name_that_is_no_utf8_is_opened(root: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.jpg")
    (root / name).write_bytes(b"b")
    with open_below(str(root), name) as file:
        assert file.read() == b"b"


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "inner/../../secret",
        "/etc/passwd",
        "",
        ".",
        "inner/",
        "inner//a.jpg",
        "./inner/a.jpg",
        "a\0b",
        "no",
    ],
)
def test_no_path_leads_out(root: Path, path: str) -> None:
    with pytest.raises(NoPhotoError):
        open_below(str(root), path)


def test_links_are_not_followed_at_any_part(root: Path, tmp_path: Path) -> None:
    (root / "file.jpg").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (root / "near.jpg").symlink_to(root / "inner/a.jpg")
    for path in ("file.jpg", "folder/secret", "near.jpg"):
        with pytest.raises(NoPhotoError):
            open_below(str(root), path)


def test_only_regular_files_and_no_waiting(root: Path) -> None:
    os.mkfifo(root / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(root / "socket.jpg"))
        start = time.monotonic()
        for path in ("fifo.jpg", "socket.jpg", "inner"):
            with pytest.raises(NoPhotoError):
                open_below(str(root), path)
    with pytest.raises(NoPhotoError):
        open_below("/dev", "zero")
    assert time.monotonic() - start < 2


def test_refusals_leave_no_handle_open(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for path in ("inner/no.jpg", "../secret", "inner"):
        with pytest.raises(NoPhotoError):
            open_below(str(root), path)
    assert len(os.listdir("/proc/self/fd")) == before
