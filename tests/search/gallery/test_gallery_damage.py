"""Damage to the truth is refused with its place; a full disk and a sealed folder are said, and lose nothing."""

import os
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.galleries import made, photos, unit

from crossx.core.errors import InputError, WorkError
from crossx.search.gallery.local import LocalGallery


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB; where it cannot be mounted, a limit cannot stand in for the whole of it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting needs rights that this user does not have")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)  # noqa: S607


def test_a_full_disk_is_said_and_what_was_committed_stays(small_disk: Path) -> None:
    gallery = made(small_disk / "g")
    added = 0

    def fill() -> None:
        nonlocal added
        while True:
            added += len(gallery.add(photos(100, seed=added)))

    with pytest.raises(WorkError, match=r"gallery\.db cannot be written \(.*\); all that was committed is kept"):
        fill()
    gallery.close()
    assert added >= 100
    with LocalGallery(small_disk / "g") as reader:
        assert reader.count() == added
        assert reader.check() == []


def test_an_index_that_does_not_fit_leaves_the_search_exact(small_disk: Path) -> None:
    gallery = made(small_disk / "g", 1000)
    gallery.choose("ivf")
    gallery.truth.database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    room = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(room.f_bavail * room.f_bsize - 32768))
    with pytest.raises(WorkError, match=r"an index cannot be saved .* the search is exact without it"):
        gallery.rebuild()
    assert not list((small_disk / "g/index").glob("*.faiss"))
    assert not list((small_disk / "g/index").glob(".tmp*"))
    assert gallery.status().kind == "exact"
    assert len(gallery.search(unit(1), 5)[0]) == 5


def test_a_folder_that_cannot_be_written_can_be_searched(small_disk: Path) -> None:
    made(small_disk / "g", 50).close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)  # noqa: S607
    with LocalGallery(small_disk / "g") as reader:
        assert reader.count() == 50
        assert len(reader.search(unit(1), 5)[0]) == 5
    with pytest.raises((InputError, OSError), match=r"lock|Read-only"):
        LocalGallery(small_disk / "g", write=True)


@pytest.fixture
def sealed(small_disk: Path, tmp_path: Path) -> Iterator[Path]:
    """The same file system at another place, where it cannot be written."""
    folder = tmp_path / "sealed"
    folder.mkdir()
    for options in (["--bind", str(small_disk)], ["-o", "remount,bind,ro"]):
        subprocess.run(["mount", *options, str(folder)], check=True)  # noqa: S607
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)  # noqa: S607


def test_who_may_not_write_sees_what_others_write(small_disk: Path, sealed: Path) -> None:
    """Without a log a reader takes the file as it is; with a writer there comes a log, and later another file."""
    made(small_disk / "g", 300).close()
    with LocalGallery(sealed / "g") as reader:
        assert len(reader.search(unit(1), 2000)[0]) == 300
        for seed, expected in ((1, 499), (2, 698), (3, 897)):
            with LocalGallery(small_disk / "g", write=True) as writer:
                writer.add(photos(200, seed=seed))
                writer.remove([seed])
                if seed != 2:  # whether the reader comes while the writer is there, or after it
                    assert reader.follow()
            assert reader.follow() == (seed == 2)
            assert len(reader.search(unit(1), 2000)[0]) == reader.count() == expected
        assert reader.check() == []


def test_a_database_in_use_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossx.search.gallery.database._PATIENCE", 0.1)
    made(tmp_path / "g", 5).close()
    with LocalGallery(tmp_path / "g") as reader, LocalGallery(tmp_path / "g", write=True) as writer:
        other = sqlite3.connect(tmp_path / "g/gallery.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WorkError, match=r"gallery\.db is being used by another program .*locked.; try again"):
            writer.remove([1])
        other.execute("COMMIT")
        assert writer.remove([1]) == 1
        reader.truth.database.close()
        writer.truth.database.close()
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("DELETE FROM skipped")
        for work in (reader.count, reader.check, writer.check, lambda: LocalGallery(tmp_path / "g")):
            with pytest.raises(WorkError, match="is being used by another program"):
                work()
        other.close()
        assert reader.check() == []


def test_threads_that_end_leave_no_files_open(tmp_path: Path) -> None:
    made(tmp_path / "g", 5).close()
    with LocalGallery(tmp_path / "g") as reader:
        found: list[int] = []
        for _ in range(12):
            thread = threading.Thread(target=lambda: found.append(reader.count()))
            thread.start()
            thread.join()
        handles = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if _is_open(n)]
        assert found == [5] * 12
        assert handles.count(str(tmp_path / "g/gallery.db")) <= 2  # of this thread and of the last one


def _is_open(number: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{number}")


def _whole(folder: Path) -> bytes:
    made(folder, 400).close()
    return (folder / "gallery.db").read_bytes()


@pytest.mark.parametrize("damage", ["cut", "zeros", "header", "empty", "text"])
def test_a_damaged_database_is_refused(tmp_path: Path, damage: str) -> None:
    data, file = _whole(tmp_path / "g"), tmp_path / "g/gallery.db"
    damaged = {
        "cut": data[: len(data) // 2],
        "zeros": bytes(len(data)),
        "header": b"\0" * 100 + data[100:],
        "empty": b"",
        "text": b"a text " * 1000,
    }
    file.write_bytes(damaged[damage])
    with pytest.raises(InputError, match=r"gallery: .*gallery\.db (is damaged|must be the database)"):
        LocalGallery(tmp_path / "g").search(unit(1), 400)
    if damage == "empty":  # is what a kill leaves while a gallery is made: it is made anew
        assert made(tmp_path / "g").count() == 0
        return
    with pytest.raises(InputError, match=r"gallery\.db (is damaged|must be the database)"):
        made(tmp_path / "g").check()
    assert file.read_bytes() == damaged[damage]


def test_a_flipped_bit_is_found_wherever_it_matters(tmp_path: Path) -> None:
    """Each of 60 flips is refused, found by `check`, or lies where nothing stands."""
    data, file = _whole(tmp_path / "g"), tmp_path / "g/gallery.db"
    before = _content(tmp_path / "g")
    rng, found = np.random.default_rng(0), 0
    for place in rng.integers(100, len(data), 60):
        file.write_bytes(data[:place] + bytes([data[place] ^ (1 << int(rng.integers(8)))]) + data[place + 1 :])
        try:
            with LocalGallery(tmp_path / "g") as gallery:
                problems = gallery.check()
        except InputError as error:
            problems = [str(error)]
        found += bool(problems)
        assert problems or _content(tmp_path / "g") == before
    assert found >= 25


def _content(folder: Path) -> list[tuple[object, ...]]:
    with LocalGallery(folder) as gallery:
        return [(p.id, p.key, p.size, p.mtime_ns, p.sha256, p.vector.tobytes()) for p in gallery.scan()]


def test_a_damaged_vector_is_named(tmp_path: Path) -> None:
    made(tmp_path / "g", 5).close()
    _tamper(tmp_path / "g", "UPDATE vector SET embedding = zeroblob(64) WHERE id = 3")
    with LocalGallery(tmp_path / "g") as gallery, pytest.raises(InputError, match=r"damaged .vector 3 does not have"):
        gallery.search(unit(1), 1)


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "a/../../b"])
def test_a_database_from_elsewhere_cannot_name_files_outside(tmp_path: Path, path: str) -> None:
    from crossx.search.gallery.packing import photo_crc

    with made(tmp_path / "g", 1) as gallery:
        row = gallery.truth.database.rows("SELECT * FROM photo")[0]
    crc = photo_crc((*row[:2], path.encode(), *row[3:-1]))
    _tamper(tmp_path / "g", "UPDATE photo SET path = ?, crc = ?", (path.encode(), crc))
    with LocalGallery(tmp_path / "g") as gallery, pytest.raises(InputError, match="photo 1 has a path that leads out"):
        gallery.photo(1)


def test_another_version_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "g").close()
    _tamper(tmp_path / "g", "PRAGMA user_version = 9")
    with pytest.raises(InputError, match="must be of version 1, which this crossx reads, got 9"):
        LocalGallery(tmp_path / "g")


def _tamper(folder: Path, sql: str, values: tuple[object, ...] = ()) -> None:
    connection = sqlite3.connect(folder / "gallery.db")
    with connection:
        connection.execute(sql, values)
    connection.close()


def test_gallery_and_engines_import_neither_torch_nor_lightning() -> None:
    import sys

    modules = "crossx.search.gallery.local, crossx.search.engines.tune"
    code = f"import sys, {modules}; print(sorted({{'torch', 'lightning', 'faiss'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
