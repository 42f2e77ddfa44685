"""Milvus behind the gallery's protocol, by a file of milvus-lite: what it finds and keeps is what a folder does."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.galleries import ENCODER, content, made, photos, unit

from crossx.core.errors import InputError, WorkError
from crossx.search.gallery.milvus import MilvusGallery
from crossx.search.gallery.protocol import Gallery
from crossx.search.gallery.rows import FileKey, How, Skipped


def in_milvus(folder: Path, name: str = "m.db") -> MilvusGallery:
    folder.mkdir(exist_ok=True)
    return MilvusGallery(str(folder / name), write=True, encoder=ENCODER)


def paths(gallery: Gallery, found: list[list[object]]) -> list[list[str]]:
    return [[gallery.photo(hit.id).path for hit in hits] for hits in found]  # type: ignore[attr-defined]


def test_first_ten_scores_and_pages_are_those_of_exact_search(tmp_path: Path) -> None:
    local, milvus = made(tmp_path / "g"), in_milvus(tmp_path)
    rows = photos(400)
    queries = unit(8, seed=9)
    for gallery in (local, milvus):
        gallery.add(rows)
    ours, theirs = local.search(queries, 10), milvus.search(queries, 10)
    assert paths(local, ours) == paths(milvus, theirs)  # type: ignore[arg-type]
    assert [[hit.score for hit in hits] for hits in ours] == [[hit.score for hit in hits] for hits in theirs]
    assert milvus.search(queries[:1], 4)[0] + milvus.search(queries[:1], 6, offset=4)[0] == theirs[0]
    assert (milvus.status().kind, milvus.status().photos) == ("exact", 400)


def test_copies_are_one_hit_however_many(tmp_path: Path) -> None:
    milvus, rows = in_milvus(tmp_path), photos(5)
    copies = [replace(rows[1], path=f"copy{i}.jpg") for i in range(100)]
    ids = milvus.add([*rows, *copies])
    hits = milvus.search(rows[1].vector[None], 5)[0]
    assert len(hits) == 5
    assert [hits[0].id, *hits[0].copies] == sorted([ids[1], *ids[5:]])
    assert all(not hit.copies for hit in hits[1:])


def test_what_is_added_and_removed_is_there_and_gone_after_it_is_opened_again(tmp_path: Path) -> None:
    rows = photos(1200)
    with in_milvus(tmp_path) as milvus:
        ids = milvus.add(rows)
        assert milvus.remove([*ids[:10], 5, -1, 2**70]) == 10
        assert milvus.remove(ids[:10]) == 0
    with MilvusGallery(str(tmp_path / "m.db")) as milvus:
        assert milvus.encoder == ENCODER
        assert milvus.count() == 1190
        found = list(milvus.scan())
        assert [photo.id for photo in found] == sorted(ids[10:])
        by_id = dict(zip(ids, rows, strict=True))
        for photo in found[:50]:
            row = by_id[photo.id]
            assert replace(photo, vector=row.vector, id=0) == row
            np.testing.assert_array_equal(photo.vector, row.vector)
        assert [photo.id for photo in milvus.scan(after=found[9].id)] == [photo.id for photo in found[10:]]
        with pytest.raises(KeyError):
            milvus.photo(ids[0])
        with pytest.raises(KeyError):
            milvus.photo(-1)


def test_a_file_with_new_content_gets_a_new_id_and_a_touched_one_keeps_it(tmp_path: Path) -> None:
    milvus, rows = in_milvus(tmp_path), photos(3)
    ids = milvus.add(rows)
    changed = replace(rows[1], sha256=content(8, 8), vector=unit(1, 8)[0])
    new = milvus.add([replace(rows[0], mtime_ns=5), changed])
    assert new[0] == ids[0]
    assert milvus.state([rows[0].key])[rows[0].key].mtime_ns == 5
    assert milvus.count() == 3
    assert milvus.search(unit(1, 8), 1)[0][0].id == new[1] != ids[1]


def test_ids_that_would_fall_together_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossx.search.gallery.milvus.first_number", lambda _: 7)
    milvus, rows = in_milvus(tmp_path), photos(4)
    assert milvus.add(rows[:2]) == [7, 8]
    assert milvus.add(rows[1:]) == [8, 9, 10]
    assert milvus.count() == 4


def test_names_are_bytes_and_break_no_condition(tmp_path: Path) -> None:
    names = [b"caf\xe9 \xff\n'.jpg".decode(errors="surrogateescape"), '" or id > 0 or path == "', "a%b\\_ü/x.jpg"]
    milvus = in_milvus(tmp_path)
    rows = [replace(photo, path=name) for photo, name in zip(photos(3), names, strict=True)]
    ids = milvus.add(rows)
    assert [milvus.photo(number).path for number in ids] == names
    assert {key.path: known.id for key, known in milvus.state([row.key for row in rows]).items()} == dict(
        zip(names, ids, strict=True)
    )
    assert milvus.state([FileKey("/photos", "nothing")]) == {}
    assert [hit.id for hit in milvus.search(unit(1), 9, under="a%b\\_ü")[0]] == [ids[2]]


def test_search_below_a_folder(tmp_path: Path) -> None:
    milvus = in_milvus(tmp_path)
    a, b = milvus.add(photos(20, seed=1)), milvus.add(photos(20, seed=10))

    def found(under: str) -> set[int]:
        return {hit.id for hit in milvus.search(unit(1, seed=3), 100, under=under)[0]}

    assert found("1") == set(a)  # and not 10
    assert found("/photos/10/") == set(b)
    assert found("/") == found(".") == {*a, *b}
    assert found("/elsewhere") == found("2") == set()


def test_skipped_files_and_settings_are_kept(tmp_path: Path) -> None:
    milvus, (photo,) = in_milvus(tmp_path), photos(1)
    skipped = Skipped("/photos", "broken \xe9.jpg", 3, 4, 'truncated "here"')
    milvus.add([photo], [skipped])
    assert milvus.skipped() == [skipped]
    assert milvus.state([photo.key, skipped.key])[skipped.key] == (3, 4, None, 'truncated "here"', b"")
    milvus.add([replace(photo, path=skipped.path, sha256=content(5, 5))])
    assert milvus.status().skipped == 0
    milvus.add([], [Skipped("/photos", photo.path, 1, 1, "truncated")])  # it was a photo
    assert milvus.count() == 1
    assert milvus.setting("encoder_folder") == ""
    milvus.set_setting("encoder_folder", "/e")
    assert milvus.setting("encoder_folder") == "/e"


def test_galleries_that_cannot_be_used_are_refused_in_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    in_milvus(tmp_path).close()
    there = str(tmp_path / "m.db")
    other = ENCODER._replace(sha256="f" * 64, dim=8)
    for uri, encoder, message in (
        ("http://127.0.0.1:1", None, r"gallery: milvus:http://127.0.0.1:1 cannot be opened: Fail connecting to server"),
        ("localhost:19530", None, "must be milvus:http://host:19530 or milvus:FILE.db, got milvus:localhost:19530"),
        (str(tmp_path / "none.db"), None, "must be a gallery, which `crossx index` makes; there is none"),
        (there, other, "must be the encoder that milvus:.* was made with .eeeeeeeeeeee., got ffffffffffff"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            MilvusGallery(uri, write=encoder is not None, encoder=encoder)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "none.db").exists()
    assert "Traceback" not in capfd.readouterr().err


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Address of milvus-lite, by which it cannot be told from a server."""
    from milvus_lite.server_manager import server_manager_instance

    yield server_manager_instance.start_and_get_uri(str(tmp_path / "server"))
    server_manager_instance.release_server(str(tmp_path / "server"))


def test_a_server_has_an_index_of_a_known_kind_and_claims_no_recall(server: str) -> None:
    rows = photos(300)
    with MilvusGallery(server, write=True, encoder=ENCODER) as milvus:
        milvus.add(rows)
        assert milvus._client.describe_index("crossx", "vector")["index_type"] == "IVF_FLAT"
    with MilvusGallery(server) as milvus:
        assert milvus.how() == How(exact=False, recall=None)
        found = milvus.search(np.stack([row.vector for row in rows[:20]]), 10)
        assert [milvus.photo(hits[0].id).path for hits in found] == [row.path for row in rows[:20]]
        assert [len(hits) for hits in found] == [10] * 20


def test_a_server_that_is_lost_is_said_in_a_line(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from milvus_lite.server_manager import server_manager_instance

    monkeypatch.setattr("crossx.search.gallery.milvus_server._PATIENCE", 0.2)
    with MilvusGallery(server, write=True, encoder=ENCODER) as milvus:
        milvus.add(photos(3))
        server_manager_instance.release_server(str(tmp_path / "server"))
        for work in (
            lambda: milvus.add(photos(3, seed=1)),
            lambda: milvus.search(unit(1), 2),
            lambda: list(milvus.scan()),
            lambda: milvus.photo(1),
            lambda: milvus.remove([1]),
            milvus.status,
            milvus.skipped,
        ):
            with pytest.raises(
                WorkError, match=r"milvus:http.* has failed: .*; what it has acknowledged is kept"
            ) as caught:
                work()
            assert "\n" not in str(caught.value)
    assert "Traceback" not in capfd.readouterr().err


def test_the_token_comes_from_the_environment_and_for_servers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: list[str] = []

    def noted(uri: str, token: str, timeout: float) -> object:
        tokens.append(token)
        raise ValueError(f"no server at {uri} for {timeout} s")

    monkeypatch.setattr("pymilvus.MilvusClient", noted)
    for value in (None, "root:secret"):
        if value:
            monkeypatch.setenv("CROSSX_MILVUS_TOKEN", value)
        for uri in ("https://host:19530", str(tmp_path / "m.db")):
            with pytest.raises(InputError, match="cannot be opened: no server") as caught:
                MilvusGallery(uri, write=True, encoder=ENCODER)
            assert "secret" not in str(caught.value)
    assert tokens == ["", "", "root:secret", ""]


@pytest.mark.parametrize("vector", [np.zeros(16), np.full(16, np.nan), np.ones(15)])
def test_vectors_that_are_no_embeddings_are_refused_and_nothing_is_added(tmp_path: Path, vector: np.ndarray) -> None:
    milvus, rows = in_milvus(tmp_path), photos(1)
    with pytest.raises(ValueError, match="photos: must have"):
        milvus.add([replace(rows[0], vector=vector.astype(np.float32))])
    assert milvus.count() == 0
    with pytest.raises(ValueError, match="vectors: must have"):
        milvus.search(vector.astype(np.float32)[None], 1)
