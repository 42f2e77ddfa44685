from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.galleries import ENCODER, content, made, photos, unit

from crossx.core.errors import InputError
from crossx.search.gallery.local import LocalGallery
from crossx.search.gallery.permitted import Permitted
from crossx.search.gallery.rows import FileKey, Skipped


def test_hits_are_those_of_the_product_with_all_vectors_and_ties_go_by_id(tmp_path: Path) -> None:
    gallery, rows = made(tmp_path / "g"), photos(300)
    rows[7] = replace(rows[7], vector=rows[3].vector)  # another content with the same vector
    ids = gallery.add(rows)
    queries = unit(5, seed=9)
    scores = queries.astype(np.float64) @ np.stack([row.vector for row in rows]).T.astype(np.float64)
    hits = gallery.search(np.concatenate([queries, rows[3].vector[None]]), 10)
    for query, found in zip(scores, hits, strict=False):
        order = np.argsort(-query, kind="stable")[:10]
        assert [hit.id for hit in found] == [ids[i] for i in order]
        assert [hit.score for hit in found] == pytest.approx(query[order], abs=1e-6)
    assert [hit.id for hit in hits[-1][:2]] == [ids[3], ids[7]]
    assert hits[-1][0].score == hits[-1][1].score


def test_second_page_goes_on_where_the_first_ends(tmp_path: Path) -> None:
    gallery = made(tmp_path / "g", 100)
    query = unit(1, seed=5)
    whole = gallery.search(query, 30)[0]
    assert gallery.search(query, 10)[0] + gallery.search(query, 20, offset=10)[0] == whole
    assert gallery.search(query, 10, offset=1000) == [[]]


def test_photos_with_the_same_content_are_one_hit_and_share_a_vector(tmp_path: Path) -> None:
    gallery, rows = made(tmp_path / "g"), photos(4)
    copy = replace(rows[1], path="copy.jpg")
    ids = gallery.add([*rows, copy])
    assert gallery.count() == 5
    assert gallery.status().vectors == 4
    best = gallery.search(rows[1].vector[None], 2)[0][0]
    assert (best.id, best.copies) == (ids[1], (ids[4],))
    gallery.remove([ids[1]])
    best = gallery.search(rows[1].vector[None], 2)[0][0]
    assert (best.id, best.copies) == (ids[4], ())
    gallery.remove([ids[4]])
    assert gallery.status().vectors == 3
    assert ids[4] not in [hit.id for hit in gallery.search(rows[1].vector[None], 9)[0]]


def test_a_file_with_new_content_gets_a_new_id_and_a_touched_one_keeps_it(tmp_path: Path) -> None:
    gallery, rows = made(tmp_path / "g"), photos(3)
    ids = gallery.add(rows)
    touched = replace(rows[0], mtime_ns=5)
    changed = replace(rows[1], sha256=content(8, 8), vector=unit(1, 8)[0])
    new = gallery.add([touched, changed])
    assert new[0] == ids[0]
    assert new[1] not in ids
    assert gallery.state([rows[0].key])[rows[0].key].mtime_ns == 5
    with pytest.raises(KeyError):
        gallery.photo(ids[1])
    assert gallery.search(unit(1, 8), 1)[0][0].id == new[1]
    assert gallery.check() == []


def test_ids_are_never_used_again(tmp_path: Path) -> None:
    with made(tmp_path / "g") as gallery:
        first = gallery.add(photos(5))
        gallery.remove(first)
    with LocalGallery(tmp_path / "g", write=True) as gallery:
        assert min(gallery.add(photos(5, seed=1))) > max(first)


def test_removing_twice_is_no_mistake(tmp_path: Path) -> None:
    gallery = made(tmp_path / "g")
    ids = gallery.add(photos(3))
    assert gallery.remove([ids[0], 2**40, -1, 2**80]) == 1
    assert gallery.remove([ids[0]]) == 0
    assert gallery.count() == 2


def test_skipped_files_are_known_until_they_become_photos(tmp_path: Path) -> None:
    gallery, (photo,) = made(tmp_path / "g"), photos(1)
    skipped = Skipped("/photos", "broken.jpg", 3, 4, "truncated")
    gallery.add([photo], [skipped])
    known = gallery.state([photo.key, skipped.key, FileKey("/photos", "new.jpg"), FileKey("/other", "x")])
    assert known.keys() == {photo.key, skipped.key}
    assert known[skipped.key] == (3, 4, None, "truncated", b"")
    gallery.add([replace(photo, path="broken.jpg", sha256=content(5, 5))])
    assert gallery.status().skipped == 0
    gallery.add([], [Skipped("/photos", photo.path, 1, 1, "truncated")])
    assert gallery.count() == 1
    assert gallery.check() == []


def test_names_are_bytes(tmp_path: Path) -> None:
    name = b"caf\xe9 \xff\n'.jpg".decode(errors="surrogateescape")
    gallery, (photo,) = made(tmp_path / "g"), photos(1)
    (number,) = gallery.add([replace(photo, path=name)])
    assert gallery.photo(number).path == name
    assert FileKey("/photos", name) in gallery.state([FileKey("/photos", name)])


def test_search_below_a_folder(tmp_path: Path) -> None:
    gallery = made(tmp_path / "g")
    a, b = gallery.add(photos(20, seed=1)), gallery.add(photos(20, seed=10))
    query = unit(1, seed=3)

    def found(under: str) -> set[int]:
        return {hit.id for hit in gallery.search(query, 100, under=under)[0]}

    assert found("1") == found("./1/") == set(a)  # and not 10
    assert found("/photos/10/") == set(b)
    assert found("") == found("/") == found(".") == found("/photos") == {*a, *b}
    assert found("/elsewhere") == found("2") == set()
    gallery.remove(a[:3])
    assert found("1") == set(a[3:])
    twin, other = replace(gallery.photo(b[0]), path="1/twin.jpg"), replace(gallery.photo(b[1]), root="/other")
    (twin_id, other_id) = gallery.add([twin, other])
    hits = {hit.id: hit.copies for hit in gallery.search(query, 100, under="1")[0]}
    assert hits == {**dict.fromkeys(a[3:], ()), twin_id: ()}  # of a picture's copies, those in the folder
    assert found("/photos") == {*a[3:], *b}
    assert found("10") == {*b}
    assert other_id in {number for hit in gallery.search(query, 100, under="10")[0] for number in hit.copies}


def test_spellings_of_a_folder_are_one_and_it_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, asked = made(tmp_path / "g", 20), list[str]()
    read = gallery.truth.photos_under

    def noted(under: str) -> Permitted | None:
        asked.append(under)
        return read(under)

    monkeypatch.setattr(gallery.truth, "photos_under", noted)
    for under in ("0", "0/", "./0", "0/../0"):
        assert len(gallery.search(unit(1), 5, under=under)[0]) == 5
    assert asked == ["0"]


def test_a_reader_sees_what_a_writer_commits(tmp_path: Path) -> None:
    writer = made(tmp_path / "g", 5)
    with LocalGallery(tmp_path / "g") as reader:
        assert len(reader.search(unit(1), 100)[0]) == 5
        assert not reader.follow()
        new = writer.add(photos(5, seed=1))
        writer.remove([1])
        assert reader.follow()
        hits = {hit.id for hit in reader.search(unit(1), 100)[0]}
        assert set(new) <= hits
        assert 1 not in hits
        assert reader.count() == 9


def test_second_writer_is_refused_by_the_pid_of_the_first(tmp_path: Path) -> None:
    import os

    with made(tmp_path / "g"), pytest.raises(InputError, match=rf"being written by process {os.getpid()};"):
        LocalGallery(tmp_path / "g", write=True)
    LocalGallery(tmp_path / "g", write=True).close()


def test_a_gallery_of_another_encoder_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "g").close()
    other = ENCODER._replace(sha256="f" * 64)
    with pytest.raises(InputError, match=r"must be the encoder that .* was made with .eeeeeeeeeeee., got ffffffffffff"):
        LocalGallery(tmp_path / "g", write=True, encoder=other)
    LocalGallery(tmp_path / "g", write=True).close()  # and gave its lock back


@pytest.mark.parametrize("vector", [np.zeros(16), np.full(16, np.nan), np.ones(16), np.ones(15)])
def test_vectors_that_are_no_embeddings_are_refused_and_nothing_is_added(tmp_path: Path, vector: np.ndarray) -> None:
    gallery, rows = made(tmp_path / "g"), photos(1)
    with pytest.raises(ValueError, match="photos: must have"):
        gallery.add([replace(rows[0], vector=vector.astype(np.float32))])
    assert gallery.count() == 0


def test_what_is_no_gallery_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be a gallery, which `crossx index` makes"):
        LocalGallery(tmp_path / "none")
    with pytest.raises(InputError, match="must be a gallery, which `crossx index` makes"):
        LocalGallery(tmp_path / "none", write=True)
    assert not (tmp_path / "none").exists()
    (tmp_path / "gallery.db").write_text("something else that is long enough to be no header of SQLite" * 20)
    with pytest.raises(InputError, match="damaged"):
        LocalGallery(tmp_path)
