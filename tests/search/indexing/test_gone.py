"""What `--prune` and `--missing` remove: photos whose files are gone, and no others."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.galleries import made, photos

from crossx.core.errors import InputError
from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.rows import Skipped
from crossx.search.indexing.folder import remove_gone
from crossx.search.indexing.gone import gone_photos
from crossx.search.indexing.scan import scan

NAMES = [f"{folder}/{i}.jpg" for folder in ("a", "b") for i in range(10)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / name).touch()
    return tmp_path / "p"


@pytest.fixture
def gallery(root: Path) -> Iterator[LocalGallery]:
    with made(root.parent / "g") as gallery:
        rows = [replace(row, path=name) for row, name in zip(photos(20, root=str(root)), NAMES, strict=True)]
        gallery.add(rows, [Skipped(str(root), name, 1, 1, "no photo") for name in ("a/bad.jpg", "b/bad.jpg")])
        yield gallery


def left(gallery: LocalGallery) -> set[str]:
    return {photo.path for photo in gallery.scan()}


def test_files_that_are_gone_are_removed_with_the_notes_about_them(root: Path, gallery: LocalGallery) -> None:
    (root / "b/bad.jpg").touch()
    (root / "a/0.jpg").unlink()
    (root / "a/1.jpg").unlink()
    (root / "a/1.jpg").symlink_to(root / "nothing")  # is there, and leads nowhere
    assert remove_gone(gallery, scan(root), many=False) == 1
    assert left(gallery) == {*NAMES} - {"a/0.jpg"}
    assert [entry.path for entry in gallery.skipped()] == ["b/bad.jpg"]


def test_what_a_list_does_not_name_is_not_gone(root: Path, gallery: LocalGallery) -> None:
    (root / "a/bad.jpg").touch()
    (root / "b/bad.jpg").touch()
    (root / "list.txt").write_text("a/0.jpg\n")
    (root / "b/9.jpg").unlink()
    assert remove_gone(gallery, scan(root / "list.txt"), many=False) == 1
    assert left(gallery) == {*NAMES} - {"b/9.jpg"}
    assert len(gallery.skipped()) == 2


def test_what_lies_in_a_folder_that_cannot_be_looked_at_is_not_gone(
    root: Path, gallery: LocalGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return look(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for name in NAMES[10:]:
        (root / name).unlink()
    found = scan(root)
    assert found.remarks == [f"{root}/b: Permission denied"]
    assert remove_gone(gallery, found, many=False) == 0
    assert len(gallery.skipped()) == 1


def test_a_file_that_cannot_be_asked_for_is_not_gone(gallery: LocalGallery, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("crossx.search.indexing.gone.os.lstat", refuse)
    assert gone_photos(gallery, "--missing", many=False) == []


@pytest.mark.parametrize("what", ["many files", "the folder", "the folder is a file"])
def test_more_than_a_fifth_is_removed_with_a_further_word_alone(root: Path, gallery: LocalGallery, what: str) -> None:
    found = scan(root)
    found.files.clear()
    if what == "many files":
        for name in NAMES[:4]:
            (root / name).unlink()
        assert len(gone_photos(gallery, "--missing", many=False)) == 4  # a fifth
        (root / NAMES[4]).unlink()
    else:
        root.rename(root.parent / "elsewhere")  # as where a drive is not mounted
    if what == "the folder is a file":
        root.touch()
    number = 5 if what == "many files" else 20
    gallery.add(photos(100, seed=1))  # of another folder, and gone as well
    works: list[tuple[str, Callable[[bool], object]]] = [
        ("--prune", lambda many: remove_gone(gallery, found, many)),
        ("--missing", lambda many: gone_photos(gallery, "--missing", many)),
    ]
    for option, work in works:
        with pytest.raises(InputError, match=f"{option}: must stand with --many to remove {number} of 20 photos of"):
            work(False)
    assert gallery.count() == 120
    assert len(gone_photos(gallery, "--missing", many=True)) == number + 100
    assert remove_gone(gallery, found, many=True) == number
    assert gallery.count() == 120 - number
