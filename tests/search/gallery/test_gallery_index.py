import os
import shutil
import threading
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from support.galleries import made, photos, unit

from crossx.core.errors import InputError
from crossx.search.gallery.cache import Caches
from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.rows import EXACT, F32, How


def indexed(folder: Path, n: int = 2000) -> LocalGallery:
    gallery = made(folder, n)
    gallery.choose("ivf")
    gallery.set_probes(unit(50, seed=77))
    card = gallery.rebuild()
    assert card is not None
    assert card.count == n
    return gallery


def lists(gallery: LocalGallery, queries: F32, exact: bool) -> list[list[int]]:
    return [[hit.id for hit in hits] for hits in gallery.search(queries, 10, exact=exact)]


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


def test_a_search_in_a_folder_finds_all_even_where_the_index_would_not_look(tmp_path: Path) -> None:
    """Each folder holds one class; the nearest lists of a query of one class hold no photo of the others."""
    gallery, centres = made(tmp_path / "g"), unit(20, seed=5)
    for i, centre in enumerate(centres):
        near = centre + 0.02 * unit(50, seed=i)
        vectors = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
        gallery.add([replace(row, vector=vector) for row, vector in zip(photos(50, i), vectors, strict=True)])
    gallery.choose("ivf")
    gallery.set_probes(centres)
    gallery.rebuild()
    gallery.remove([251])
    new = gallery.add([replace(row, path=f"5/new{i}.jpg") for i, row in enumerate(photos(3, seed=50))])
    assert gallery.status().parameters["probes"] < 10
    (hits,) = gallery.search(centres[:1], 100, under="5")
    assert {hit.id for hit in hits} == {*range(252, 301), *new}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert gallery.how("5") == gallery.how(exact=True) == EXACT
    assert (
        gallery.how() == gallery.how(".") == gallery.how("/photos/") == How(exact=False, recall=gallery.status().recall)
    )


def test_an_answer_counts_no_table_and_nothing_counts_the_vectors(tmp_path: Path) -> None:
    indexed(tmp_path / "g", 200).close()
    said: list[str] = []
    with LocalGallery(tmp_path / "g") as reader:
        reader.search(unit(1), 10)
        reader.truth.database._connection().set_trace_callback(said.append)
        reader.search(unit(1), 10, under="0")
        reader.how("0")
        reader.due()
        assert not [sql for sql in said if "count(" in sql]
        assert (reader.status().photos, reader.status().vectors) == (200, 200)
        assert not [sql for sql in said if "count(" in sql and "FROM vector" in sql]
    assert len(said) > 4


def test_a_reader_takes_over_a_newer_index(tmp_path: Path) -> None:
    gallery = indexed(tmp_path / "g")
    with LocalGallery(tmp_path / "g") as reader:
        gallery.add(photos(300, seed=1))
        reader.follow()
        assert reader.status().side == 300
        gallery.rebuild()
        assert not reader.follow()  # no photo has come or gone
        assert reader.status().side == 0


def test_searches_go_on_while_an_index_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, opening, go = indexed(tmp_path / "g", 200), threading.Event(), threading.Event()
    load = Caches.load

    def slow(self: Caches) -> object:
        opening.set()
        assert go.wait(20)
        return load(self)

    with LocalGallery(tmp_path / "g") as reader:
        before = reader.search(unit(1), 10)
        gallery.rebuild()
        monkeypatch.setattr(Caches, "load", slow)
        following = threading.Thread(target=reader.follow)
        following.start()
        assert opening.wait(20)
        assert reader.search(unit(1), 10) == before
        assert reader.how().exact is False
        go.set()
        following.join()
        assert reader.status().seq == gallery.status().seq


def test_a_newest_index_that_is_damaged_is_looked_at_once(tmp_path: Path) -> None:
    gallery = indexed(tmp_path / "g", 200)
    with LocalGallery(tmp_path / "g") as reader:
        assert reader.status().kind == "ivf"
        for generation in (2, 3):  # of those before, one is kept
            gallery.rebuild()
            (tmp_path / f"g/index/{generation:08}.faiss").write_bytes(b"")
            assert [reader.follow() for _ in range(3)] == [False] * 3
        assert [note.partition(" is")[0] for note in reader.status().notes] == ["index 2", "index 3", "index 2"]
        assert reader.due()  # nothing usable is left, so it is built anew
        assert reader.rebuild() is not None
        assert (reader.status().kind, reader.due()) == ("ivf", False)


def test_what_would_end_a_building_ends_it_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, worked = indexed(tmp_path / "g", 50), list[object]()
    monkeypatch.setattr("crossx.search.gallery.build._built", worked.append)
    with (
        LocalGallery(tmp_path / "g") as other,
        Caches(tmp_path / "g/index", gallery.truth).building(),
        pytest.raises(InputError, match=f"is being built by process {os.getpid()}"),
    ):
        other.rebuild()
    shutil.rmtree(tmp_path / "g/index")
    (tmp_path / "g/index").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="exists"):
        gallery.rebuild()
    assert not worked


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


def test_damage_inside_a_large_index_is_found_by_check(tmp_path: Path) -> None:
    """To open an index reads its ends alone."""
    indexed(tmp_path / "g").close()
    index = tmp_path / "g/index/00000001.faiss"
    data = index.read_bytes()
    middle = len(data) // 2
    index.write_bytes(data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :])
    with LocalGallery(tmp_path / "g") as gallery:
        assert gallery.status().kind == "ivf"
        assert gallery.check() == ["index 1: its file is damaged"]


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
