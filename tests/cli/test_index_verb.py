"""`crossx index` and `crossx gallery`: folders into galleries, again and again."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.galleries import made, photos
from support.photo_folders import folder_of, save_photo
from support.served import Say

from crossx.core.errors import InputError
from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.lock import Lock
from crossx.search.indexing import altered
from crossx.search.predictor import Predictor
from crossx.search.shards import export
from crossx.search.shards.files import write_shard

pytest_plugins = ["support.serving"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = folder_of(tmp_path / "photos", ["a.png", "b.jpg", "holiday/c.png"])
    (place / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (place / "notes.txt").write_text("no photo")
    return place


def words(predictor: Predictor, folder: Path, gallery: Path) -> list[str]:
    return [
        *("index", "--encoder", str(predictor.folder), "--photos", str(folder), "--gallery", str(gallery)),
        *("--workers", "1"),
    ]


def test_again_only_new_and_changed_files_are_read(predictor: Predictor, folder: Path, say: Say, refused: Say) -> None:
    gallery = folder.parent / "g"
    first = say(words(predictor, folder, gallery))
    assert "found: 4 files that may be photos, 1 other files" in first
    assert "added: 3 photos; 0 files were known, 1 were skipped" in first
    assert "skipped: broken.jpg: cannot be read as an image" in first
    assert "3 photos, 3 different ones; exact search" in first
    assert "added: 0 photos; 4 files were known" in say(words(predictor, folder, gallery))

    save_photo(folder / "a.png", 9, (40, 40))
    save_photo(folder / "d.png", 1)
    (folder / "holiday/c.png").unlink()
    assert "to do: 2 files are new or have changed" in say([*words(predictor, folder, gallery), "--dry-run"])
    with LocalGallery(gallery) as opened:
        assert opened.count() == 3  # a dry run changes nothing
    message = refused([*words(predictor, folder, gallery), "--prune"])  # a third is much
    assert message.startswith("--prune: must stand with --many to remove 1 of 3 photos")
    assert "removed: 1 photos" in say([*words(predictor, folder, gallery), "--prune", "--many"])
    with LocalGallery(gallery) as opened:
        assert sorted(photo.path for photo in opened.scan()) == ["a.png", "b.jpg", "d.png"]
        assert opened.check() == []


def test_changed_content_with_the_same_time_is_found_by_reading(
    predictor: Predictor, folder: Path, say: Say, refused: Say
) -> None:
    gallery, restored = folder.parent / "g", folder / "same_size.bmp"
    save_photo(restored, 1)
    say(words(predictor, folder, gallery))
    before = restored.stat()
    save_photo(restored, 2)
    os.utime(restored, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert restored.stat().st_size == before.st_size
    assert "added: 0 photos; 5 files were known" in say(words(predictor, folder, gallery))
    again = [*words(predictor, folder, gallery), "--hash-all"]
    # The skipped file is tried again, too: it may have been mended with its size and time.
    assert "to do: 2 files are new or have changed" in say([*again, "--dry-run"])
    assert "added: 1 photos; 3 files were known, 1 were skipped" in say(again)
    assert "added: 0 photos; 4 files were known, 1 were skipped" in say(again)
    shards = ["index", "--from-embeddings", str(folder), "--gallery", str(gallery), "--hash-all"]
    assert "--hash-all: must not stand with --from-embeddings" in refused(shards)


def test_a_photo_that_cannot_be_read_at_the_moment_stays(
    predictor: Predictor, folder: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = folder.parent / "g"
    say(words(predictor, folder, gallery))
    monkeypatch.setattr(altered, "_digest", lambda _: None)  # as for a drive that has gone away
    again = say([*words(predictor, folder, gallery), "--hash-all"])
    assert "added: 0 photos; 3 files were known, 1 were skipped" in again
    with LocalGallery(gallery) as opened:
        assert opened.count() == 3


def test_single_files_are_added_below_the_folder_that_was_indexed(
    predictor: Predictor, folder: Path, say: Say, refused: Say
) -> None:
    gallery = str(folder.parent / "g")
    say(words(predictor, folder, Path(gallery)))
    save_photo(folder / "holiday/new.png", 7)
    save_photo(folder.parent / "elsewhere.png", 8)
    names = [str(folder / "holiday/new.png"), str(folder.parent / "elsewhere.png"), str(folder / "a.png")]
    assert "added: 2 photos; 1 files were known" in say(["gallery", "add", gallery, *names])
    with LocalGallery(Path(gallery)) as opened:
        keys = {photo.path: photo.root for photo in opened.scan()}
        assert keys["holiday/new.png"] == str(folder)
        assert keys["elsewhere.png"] == str(folder.parent)
    assert "added: 0 photos; 5 files were known" in say(words(predictor, folder, Path(gallery)))
    assert "name photos, got none" in refused(["gallery", "add", gallery])
    say(words(predictor, folder / "holiday", Path(gallery)))  # the same file below a nearer folder, too
    assert "added: 0 photos; 1 files were known" in say(["gallery", "add", gallery, names[0]])
    assert "photo: must be a file" in refused(["gallery", "add", gallery, str(folder)])
    assert "photo: must end in .jpg" in refused(["gallery", "add", gallery, str(folder / "notes.txt")])
    assert "No such file" in refused(["gallery", "add", gallery, str(folder / "b.jpeg")])
    assert "--encoder: must stand with `gallery add`" in refused(["gallery", "info", gallery, "--encoder", "x"])


@pytest.mark.parametrize("folders", [1, 2])
def test_vectors_go_from_one_gallery_to_another(
    folders: int, predictor: Predictor, folder: Path, say: Say, refused: Say
) -> None:
    first, second, shards = (str(folder.parent / name) for name in ("g", "h", "shards"))
    say(words(predictor, folder, Path(first)))
    export = ["gallery", "export-vectors", first, "--out", shards]
    if folders == 2:
        save_photo(folder.parent / "elsewhere.png", 8)
        say(["gallery", "add", first, str(folder.parent / "elsewhere.png")])
        assert "--folder: must name one of the indexed folders" in refused(export)
        assert "--folder: must be one of the indexed folders" in refused([*export, "--folder", "/nowhere"])
        export += ["--folder", str(folder)]
    assert "written: 3 photos and 1 skipped files of " in say(export)
    assert "added: 3 photos" in say(["index", "--from-embeddings", shards, "--gallery", second])
    with LocalGallery(Path(first)) as one, LocalGallery(Path(second)) as other:
        files = [{p.key: (p.sha256, p.vector.tobytes()) for p in g.scan()} for g in (one, other)]
        assert files[1] == {key: value for key, value in files[0].items() if key.root == str(folder)}
        assert [entry.reason for entry in one.skipped()] == [entry.reason for entry in other.skipped()]
    assert "added: 0 photos; 4 files were known" in say(words(predictor, folder, Path(second)))
    assert "--out: must be a folder without shards" in refused(export)
    assert "--out: must name a folder" in refused(["gallery", "export-vectors", first])


def test_an_export_that_does_not_end_leaves_nothing(
    predictor: Predictor, folder: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, out = folder.parent / "g", folder.parent / "shards"
    say(words(predictor, folder, gallery))
    written: list[Path] = []

    def interrupted(*arguments: Any) -> Path:  # noqa: ANN401 - as the function takes them
        if written:
            raise KeyboardInterrupt
        written.append(write_shard(*arguments))
        return written[0]

    monkeypatch.setattr(export, "write_shard", interrupted)
    with LocalGallery(gallery) as opened, pytest.raises(KeyboardInterrupt):
        list(export.export_vectors(opened, out, rows=1))
    assert written
    assert not list(out.iterdir())
    with LocalGallery(gallery, write=True) as opened:
        opened.remove([photo.id for photo in opened.scan()])
        with pytest.raises(InputError, match=r"^--folder: must be an indexed folder with photos, got none of "):
            list(export.export_vectors(opened, out))


def test_a_gallery_is_shown_checked_and_deleted_from(
    predictor: Predictor, folder: Path, say: Say, refused: Say
) -> None:
    gallery = str(folder.parent / "g")
    say(words(predictor, folder, Path(gallery)))
    info = say(["gallery", "info", gallery])
    assert "photos      3, 3 different ones" in info
    assert "  broken.jpg: cannot be read as an image" in info
    assert "whole: 3 photos" in say(["gallery", "check", gallery])
    assert "removed: 1 photos; their files stay" in say(["gallery", "delete", gallery, "holiday/c.png"])
    assert "got 'holiday/c.png'" in refused(["gallery", "delete", gallery, "holiday/c.png"])
    (folder / "b.jpg").unlink()
    assert "--missing: must stand with --many" in refused(["gallery", "delete", gallery, "--missing"])
    assert "removed: 1 photos" in say(["gallery", "delete", gallery, "--missing", "--many"])
    assert "nothing to build" in say(["gallery", "rebuild", gallery])
    assert "name photos, or --missing" in refused(["gallery", "delete", gallery])
    assert "got 'chek'" in refused(["gallery", "chek", gallery])
    with (folder.parent / "g/gallery.db").open("r+b") as file:
        file.seek(4096)
        file.write(bytes(4096))
    assert "gallery.db" in refused(["gallery", "check", gallery])


def test_a_path_is_deleted_from_each_folder_or_from_the_one_that_is_named(
    tmp_path: Path, say: Say, refused: Say
) -> None:
    with made(tmp_path / "g") as gallery:
        for i, root in enumerate(("/one", "/two", "/three")):
            gallery.add([replace(row, path=row.path.removeprefix(f"{i}/")) for row in photos(3, i, root)])
    delete = ["gallery", "delete", str(tmp_path / "g")]
    assert "removed: 1 photos" in say([*delete, "/two/1.jpg"])
    assert "removed: 2 photos" in say([*delete, "1.jpg"])
    assert "removed: 4 photos" in say([*delete, "0.jpg", "/three/2.jpg"])
    assert "got '/two/1.jpg'" in refused([*delete, "2.jpg", "/two/1.jpg"])
    with LocalGallery(tmp_path / "g") as gallery:
        assert {photo.key for photo in gallery.scan()} == {("/one", "2.jpg"), ("/two", "2.jpg")}


def test_an_index_is_built_where_it_is_asked_for(predictor: Predictor, tmp_path: Path, say: Say) -> None:
    place = folder_of(tmp_path / "photos", [f"{i}.png" for i in range(60)])
    lines = say([*words(predictor, place, tmp_path / "g"), "--index", "ivf"])
    assert "building the index" in lines
    assert "ivf search, recall@10 for sketches" in lines
    with LocalGallery(tmp_path / "g") as opened:
        assert (opened.status().recall or 0) >= 0.95


def test_mistakes_are_one_line(predictor: Predictor, folder: Path, refused: Say) -> None:
    gallery, encoder = folder.parent / "g", str(predictor.folder)
    (folder.parent / "empty").mkdir()
    (folder.parent / "file").write_text("")
    for changed, message in (
        (["--photos", str(folder.parent / "photoss")], "did you mean"),
        (["--photos", str(folder.parent / "empty")], "--photos: must hold photos"),
        (["--encoder", str(folder)], "encoder: must be a folder that `crossx export` has written"),
        (["--gallery", str(folder.parent / "file")], "file"),
        (["--workers", "0"], "--workers: must be in [1, 256]"),
        (["--index", "hnws"], "--index"),
        (["--many"], "--many: must stand with --prune"),
        (["--prun"], "did you mean '--prune'"),
        (["--photos-root", "/"], "--photos-root: must stand with --from-embeddings"),
    ):
        assert message in refused([*words(predictor, folder, gallery), *changed])
    assert "--encoder: must be given" in refused(["index", "--photos", str(folder), "--gallery", str(gallery)])
    assert "--photos: must be given" in refused(["index", "--encoder", encoder, "--gallery", str(gallery)])
    assert not gallery.exists()


def test_a_gallery_of_another_encoder_and_a_second_writer_are_refused(
    predictor: Predictor, folder: Path, refused: Say
) -> None:
    made(folder.parent / "other", 3).close()
    message = refused(words(predictor, folder, folder.parent / "other"))
    assert "--encoder: must be the encoder that" in message
    assert "index into a new folder" in message
    lock = Lock(folder.parent / "other/lock", "")
    message = refused(words(predictor, folder, folder.parent / "other"))
    assert "is being written by process" in message
    lock.release()


def test_help_is_there_without_torch() -> None:
    code = (
        "import sys, crossx.cli.index, crossx.cli.search, crossx.cli.embed, crossx.cli.gallery\n"
        "print([name for name in ('torch', 'numpy', 'faiss') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
