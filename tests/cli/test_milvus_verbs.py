"""`milvus:FILE.db` in the place of a folder: index, search and server give what they give for a folder."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from support.drawings import drawing
from support.served import Say

from crossx.cli import main
from crossx.search.gallery.local import LocalGallery
from crossx.search.predictor import Predictor
from crossx.search.serve.app import create_app
from crossx.search.serve.opening import open_server
from crossx.search.serve.server import Settings

pytest_plugins = ["support.serving"]


@pytest.fixture(scope="module")
def name(predictor: Predictor, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    place = f"milvus:{tmp_path_factory.mktemp('milvus') / 'g.db'}"
    words = ["index", "--encoder", str(predictor.folder), "--photos", str(photos), "--gallery", place]
    assert main([*words, "--workers", "1"]) == 0
    return place


def test_search_finds_what_a_folder_finds(name: str, gallery_folder: Path, predictor: Predictor, say: Say) -> None:
    sketch = Path(name.removeprefix("milvus:")).parent / "umbrella.json"
    sketch.write_text(json.dumps({"strokes": drawing("umbrella")}))

    def found(gallery: str) -> list[tuple[str, float, int]]:
        words = ["search", "--gallery", gallery, "--encoder", str(predictor.folder), "--sketch", str(sketch), "--json"]
        results: list[dict[str, Any]] = json.loads(say(words))[0]["results"]
        return [(Path(hit["path"]).name, hit["score"], len(hit["copies"])) for hit in results]

    assert found(name) == found(str(gallery_folder))
    assert [file.rpartition("-")[0] for file, _, _ in found(name)].count("umbrella") >= 6


def test_index_again_adds_nothing_and_a_way_to_search_is_refused(
    name: str, photos: Path, predictor: Predictor, say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["index", "--encoder", str(predictor.folder), "--photos", str(photos), "--gallery", name]
    said = say([*words, "--prune"])
    assert "added: 0 photos; 81 files were known" in said
    assert "to do: 0 files" in say([*words, "--dry-run"])
    assert main([*words, "--index", "ivf"]) == 2
    assert "--index: must not be given for a gallery in Milvus" in capsys.readouterr().err


def test_it_is_shown_and_deleted_from(name: str, tmp_path: Path, say: Say, refused: Say) -> None:
    place = f"milvus:{shutil.copytree(name.removeprefix('milvus:'), tmp_path / 'copy.db')}"
    assert "photos      81" in say(["gallery", "info", place])
    assert "removed: 2 photos" in say(["gallery", "delete", place, "odd/copy.jpg", "cup-0000.jpg"])
    assert "photos      79" in say(["gallery", "info", place])
    for action in ("check", "rebuild"):
        assert f"gallery {action}: must name a folder, got milvus:" in refused(["gallery", action, place])


def test_photos_are_added_and_its_vectors_leave_it(
    name: str, photos: Path, gallery_folder: Path, tmp_path: Path, say: Say
) -> None:
    place = f"milvus:{shutil.copytree(name.removeprefix('milvus:'), tmp_path / 'copy.db')}"
    assert "added: 0 photos; 1 files were known" in say(["gallery", "add", place, str(photos / "cup-0000.jpg")])
    new = Path(shutil.copy(photos / "cup-0000.jpg", tmp_path / "new.jpg"))
    assert "added: 1 photos; 0 files were known" in say(["gallery", "add", place, str(new)])
    assert "removed: 1 photos" in say(["gallery", "delete", place, "new.jpg"])
    assert "written: 81 photos" in say(["gallery", "export-vectors", name, "--out", str(tmp_path / "shards")])
    words = ["index", "--from-embeddings", str(tmp_path / "shards"), "--gallery", str(tmp_path / "g")]
    assert "added: 81 photos" in say(words)
    with LocalGallery(tmp_path / "g") as moved, LocalGallery(gallery_folder) as indexed:
        one, other = ({photo.key: photo.sha256 for photo in gallery.scan()} for gallery in (moved, indexed))
        assert one == other


def test_the_server_answers_from_it(name: str) -> None:
    server = open_server(name, None, Settings(threads=1))  # the gallery says where its encoder is
    with TestClient(create_app(server), base_url="http://localhost") as client:
        found = client.post("/api/v1/search/sketch", json={"strokes": drawing("fish")}).json()
        assert found["results"][0]["name"].startswith("fish")
        assert client.get(found["results"][0]["thumb"]).headers["content-type"] == "image/jpeg"
        assert client.post("/api/v1/search/photo", json={"id": found["results"][0]["id"]}).status_code == 200
