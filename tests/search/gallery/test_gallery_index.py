import os
import shutil
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from support.galleries import made, photos, unit

from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.rows import F32, Where


def indexed(folder: Path, n: int = 2000) -> LocalGallery:
    gallery = made(folder, n)
    gallery.choose("ivf")
    gallery.set_probes(unit(50, seed=77))
    card = gallery.rebuild()
    assert card is not None
    assert card.count == n
    return gallery


def lists(gallery: LocalGallery, queries: F32, exact: bool, where: Where | None = None) -> list[list[int]]:
    return [[hit.id for hit in hits] for hits in gallery.search(queries, 10, exact=exact, where=where)]


def test_recall_is_measured_with_sketches_and_full_probes_are_exact(tmp_path: Path) -> None:
    gallery, queries = indexed(tmp_path / "g"), unit(100, seed=78)
    matrix = np.stack([photo.vector for photo in gallery.scan()])
    exact = [(np.argsort(-row, kind="stable")[:10] + 1).tolist() for row in queries @ matrix.T]
    assert lists(gallery, queries, exact=True) == exact
    status = gallery.status()
    assert status.kind == "ivf"
    assert status.recall is not None
    assert status.recall >= 0.95
    found = lists(gallery, queries, exact=False)
    shared = [len(set(a) & set(b)) / 10 for a, b in zip(found, exact, strict=True)]
    assert np.mean(shared) == pytest.approx(status.recall, abs=0.06)


def test_without_sketches_no_recall_is_claimed(tmp_path: Path) -> None:
    gallery = made(tmp_path / "g", 500)
    gallery.choose("ivf")
    gallery.rebuild()
    assert gallery.status().recall is None
    assert gallery.status().parameters["recall_photos"] >= 0.95


def test_changes_are_found_beside_the_index(tmp_path: Path) -> None:
    gallery, queries = indexed(tmp_path / "g"), unit(20, seed=78)
    before = lists(gallery, queries, exact=True)
    gallery.remove([before[0][0], before[1][0]])
    new = gallery.add(photos(100, seed=1))
    with LocalGallery(tmp_path / "g") as reader:
        for other in (gallery, reader):
            after = lists(other, queries, exact=True)
            assert before[0][0] not in set(chain(*after))
            assert set(new) & set(chain(*after))
            assert other.status().side == 100
            assert other.status().removed == 2
        assert lists(gallery, queries, exact=True) == lists(reader, queries, exact=True)
    gallery.rebuild()
    assert (gallery.status().side, gallery.status().removed) == (0, 0)
    assert lists(gallery, queries, exact=True) == after


def test_an_index_becomes_due_when_much_has_changed(tmp_path: Path) -> None:
    gallery = indexed(tmp_path / "g")
    assert not gallery.status().due
    gallery.add(photos(101, seed=1))
    assert gallery.status().due
    gallery.rebuild()
    gallery.remove(range(1, 450))
    assert gallery.status().due


def test_a_filtered_search_with_an_index_finds_all(tmp_path: Path) -> None:
    gallery = indexed(tmp_path / "g")
    some = frozenset(range(100, 140))
    for ids in lists(gallery, unit(5, seed=78), exact=False, where=Where(ids=some)):
        assert len(ids) == 10
        assert set(ids) <= some


def test_a_large_filter_is_a_filter_of_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossx.search.gallery.view._FEW", 10)
    gallery, queries = indexed(tmp_path / "g"), unit(5, seed=78)
    gallery.remove([7])
    new = gallery.add(photos(10, seed=1))
    some = frozenset([*range(1, 500), *new])
    found = gallery.search(queries, 600, where=Where(ids=some), exact=True)
    assert [{hit.id for hit in hits} for hits in found] == [some - {7}] * 5


def test_a_reader_takes_over_a_newer_index(tmp_path: Path) -> None:
    gallery = indexed(tmp_path / "g")
    with LocalGallery(tmp_path / "g") as reader:
        gallery.add(photos(300, seed=1))
        reader.follow()
        assert reader.status().side == 300
        gallery.rebuild()
        assert reader.follow()
        assert reader.status().side == 0


def test_two_generations_are_kept(tmp_path: Path) -> None:
    gallery = indexed(tmp_path / "g", 200)
    (tmp_path / "g/index/.tmp-00000009").write_text("left by a kill")
    for _ in range(3):
        gallery.rebuild()
    names = {path.name for path in (tmp_path / "g/index").iterdir()} - {"lock"}
    assert names == {f"0000000{n}.{end}" for n in (3, 4) for end in ("faiss", "json")}


@pytest.mark.parametrize("damage", ["cut", "zeros", "flip", "text", "gone", "other text"])
def test_a_damaged_index_is_left_out_and_said(tmp_path: Path, damage: str) -> None:
    indexed(tmp_path / "g", 200).close()
    index, text = tmp_path / "g/index/00000001.faiss", tmp_path / "g/index/00000001.json"
    data = index.read_bytes()
    match damage:
        case "cut":
            index.write_bytes(data[: len(data) // 2])
        case "zeros":
            index.write_bytes(bytes(len(data)))
        case "flip":
            index.write_bytes(data[:5000] + bytes([data[5000] ^ 4]) + data[5001:])
        case "text":
            text.write_text(text.read_text()[:100])
        case "gone":
            index.unlink()
        case _:
            text.write_text(text.read_text().replace('"generation": 1', '"generation": 7'))
    with LocalGallery(tmp_path / "g", write=True) as gallery:
        assert gallery.status().kind == "exact"
        assert gallery.status().due
        (note,) = gallery.status().notes
        assert note.startswith("index 1 is left out: ")
        assert note in (tmp_path / "g/index.log").read_text()
        assert len(gallery.search(unit(1), 300)[0]) == 200
        gallery.rebuild()
        assert gallery.status().kind == "ivf"
    with LocalGallery(tmp_path / "g") as reader:
        assert reader.status().kind == "ivf"


def test_an_older_index_serves_where_the_newest_is_damaged(tmp_path: Path) -> None:
    gallery = indexed(tmp_path / "g", 200)
    gallery.add(photos(5, seed=1))
    gallery.rebuild()
    gallery.close()
    (tmp_path / "g/index/00000002.faiss").write_bytes(b"")
    with LocalGallery(tmp_path / "g") as reader:
        assert reader.status().kind == "ivf"
        assert reader.status().side == 5
        assert reader.check() == ["index 2: its file is damaged"]


def test_an_index_newer_than_its_database_is_left_out(tmp_path: Path) -> None:
    made(tmp_path / "g", 300).close()
    shutil.copy(tmp_path / "g/gallery.db", tmp_path / "copy.db")
    gallery = LocalGallery(tmp_path / "g", write=True)
    gallery.add(photos(100, seed=1))
    gallery.choose("ivf")
    gallery.rebuild()
    gallery.close()
    os.replace(tmp_path / "copy.db", tmp_path / "g/gallery.db")
    with LocalGallery(tmp_path / "g", write=True) as gallery:
        gallery.add(photos(200, seed=2))  # the numbers that the index knows mean other photos now
        assert gallery.status().kind == "exact"
        assert "newer than the database" in gallery.status().notes[0]
        assert gallery.search(photos(1, seed=2)[0].vector[None], 1)[0][0].id == 301


def test_an_exact_gallery_ignores_index_files(tmp_path: Path) -> None:
    gallery = indexed(tmp_path / "g", 200)
    gallery.choose("exact")
    with LocalGallery(tmp_path / "g") as reader:
        assert reader.status().kind == "exact"
        assert not reader.status().due
    assert gallery.rebuild() is None
