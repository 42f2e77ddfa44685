"""`crossx embed` and `crossx index --from-embeddings`: parts that know nothing of each other, and one gallery."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.photo_folders import folder_of
from support.served import Say

from crossx.search.gallery.local import LocalGallery
from crossx.search.predictor import Predictor

pytest_plugins = ["support.serving"]
NAMES = [f"{i % 3}/{i}.png" for i in range(20)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = folder_of(tmp_path / "photos", NAMES)
    (place / "broken.jpg").write_bytes(b"no photo")
    return place


def words(predictor: Predictor, folder: Path, part: str) -> list[str]:
    return [
        *("embed", "--encoder", str(predictor.folder), "--photos", str(folder), "--out", str(folder.parent / "shards")),
        *("--part", part, "--workers", "1"),
    ]


def imported(folder: Path, gallery: str = "g") -> list[str]:
    return ["index", "--from-embeddings", str(folder.parent / "shards"), "--gallery", str(folder.parent / gallery)]


def test_two_parts_make_the_gallery_that_the_folder_makes(predictor: Predictor, folder: Path, say: Say) -> None:
    for part in ("1/2", "2/2"):
        assert f"written: part {part[0]} of 2" in say(words(predictor, folder, part))
    assert "added: 20 photos; 0 were known, 1 files had been skipped" in say(imported(folder))
    assert "added: 0 photos; 20 were known" in say(imported(folder))
    say(["index", "--encoder", str(predictor.folder), "--photos", str(folder), "--gallery", str(folder.parent / "h")])
    with LocalGallery(folder.parent / "g") as one, LocalGallery(folder.parent / "h") as other:
        found, expected = ({photo.path: photo for photo in opened.scan()} for opened in (one, other))
        assert found.keys() == expected.keys() == set(NAMES)
        for name, photo in found.items():
            assert np.allclose(photo.vector, expected[name].vector, atol=1e-6)
            assert (photo.sha256, photo.size, photo.root) == (expected[name].sha256, photo.size, str(folder))
        assert [entry.path for entry in one.skipped()] == ["broken.jpg"]
    again = say(["index", "--encoder", str(predictor.folder), "--photos", str(folder), "--gallery", str(one.folder)])
    assert "added: 0 photos; 21 files were known" in again  # what shards brought is not embedded again


def test_a_part_that_was_ended_goes_on(predictor: Predictor, folder: Path, say: Say, refused: Say) -> None:
    """Also where the encoder's folder has another name, as on another machine."""
    say(words(predictor, folder, "1/1"))
    shutil.copytree(predictor.folder, folder.parent / "copied encoder")
    shards = folder.parent / "shards"
    (shards / "_done-1").unlink()  # as if it had been killed before its end
    assert "part 1 unfinished" in refused(imported(folder))
    folder_of(folder, [*NAMES, "late.png"])  # the same pictures, and one more
    before = (shards / "part-1-00000.parquet").read_bytes()
    lines = say([*words(predictor, folder, "1/1"), "--encoder", str(folder.parent / "copied encoder")])
    assert "22 files, " in lines
    assert (shards / "part-1-00000.parquet").read_bytes() == before
    say(imported(folder))
    with LocalGallery(folder.parent / "g") as gallery:
        assert gallery.count() == 21


def test_photos_may_be_elsewhere_than_where_they_were_embedded(predictor: Predictor, folder: Path, say: Say) -> None:
    say(words(predictor, folder, "1/1"))
    moved = folder.rename(folder.parent / "moved")
    say([*imported(folder), "--photos-root", str(moved)])
    with LocalGallery(folder.parent / "g") as gallery:
        assert {photo.root for photo in gallery.scan()} == {str(moved)}


def test_damaged_and_foreign_shards_are_refused(predictor: Predictor, folder: Path, say: Say, refused: Say) -> None:
    assert "--part: must be I/N" in refused(words(predictor, folder, "3/2"))
    assert "--part: must be I/N" in refused(words(predictor, folder, "one"))
    assert "must be a folder of shards, as `crossx embed`" in refused(imported(folder))
    for device in ("cuda:99", "cuad", "meta"):
        message = refused([*words(predictor, folder, "1/1"), "--device", device])
        assert message.startswith("device: must be cpu, or ")
        assert message.endswith(f"got {device!r}")
    assert "--batch: must be in [1, 256], got 257" in refused([*words(predictor, folder, "1/1"), "--batch", "257"])
    (folder.parent / "shards").mkdir()
    assert "must hold shards" in refused(imported(folder))
    say(words(predictor, folder, "1/2"))
    message = refused(imported(folder))
    assert "must hold all 2 parts, got part 2 unfinished; `crossx embed --part 2/2`" in message
    say(words(predictor, folder, "2/2"))
    assert "--out: must hold shards of the same encoder" in refused(words(predictor, folder, "1/3"))

    shard = folder.parent / "shards/part-1-00000.parquet"
    whole = shard.read_bytes()
    for damage in (whole[:-20], whole[:100] + whole[-100:], b""):
        shard.write_bytes(damage)
        assert "embed its part again" in refused(imported(folder))
    shard.write_bytes(whole)
    table = pq.read_table(shard)
    vectors = np.stack(table.column("embedding").to_pylist())
    vectors[1] = np.nan
    flat = pa.array(vectors.reshape(-1).astype(np.float32))
    broken = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    pq.write_table(table.set_column(table.schema.get_field_index("embedding"), "embedding", broken), shard)
    assert "embed its part again" in refused(imported(folder))
    names = pa.array([b"../../etc/passwd", *table.column("path").to_pylist()[1:]])
    pq.write_table(table.set_column(table.schema.get_field_index("path"), "path", names), shard)
    assert "path: must be a name below the root" in refused(imported(folder))
    shutil.rmtree(folder.parent / "g", ignore_errors=True)
    shard.write_bytes(whole)
    assert "added: 20 photos" in say(imported(folder))
    assert "must not stand with --from-embeddings" in refused([*imported(folder), "--photos", str(folder)])
    assert "--photos-root: must be a folder" in refused([*imported(folder), "--photos-root", str(shard)])
