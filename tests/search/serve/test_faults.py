"""Faults of gallery and encoder: the answer is 503 with a fixed sentence, and the log alone says which file it was."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from support.drawings import drawing

from crossx.search.gallery.local import LocalGallery
from crossx.search.predictor import REFERENCE, Predictor
from crossx.search.serve.app import create_app
from crossx.search.serve.opening import open_server
from crossx.search.serve.server import Settings

pytest_plugins = ["support.serving"]


@pytest.fixture
def place(predictor: Predictor, gallery_folder: Path, tmp_path: Path) -> Path:
    """Copies of the encoder, `encoder`, and of its gallery, `gallery`."""
    shutil.copytree(predictor.folder, tmp_path / "encoder")
    shutil.copytree(gallery_folder, tmp_path / "gallery")
    return tmp_path


@pytest.fixture
def client(place: Path) -> Iterator[TestClient]:
    server = open_server(str(place / "gallery"), str(place / "encoder"), Settings(threads=1))
    with TestClient(create_app(server), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client
    server.gallery.close()


def unable(client: TestClient, method: str, address: str, place: Path, body: object = None) -> bool:
    answer = client.request(method, address, json=body)
    assert str(place) not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return (answer.status_code, answer.json()["detail"]) == (
        503,
        "The server cannot answer at the moment; its log has the reason.",
    )


@pytest.mark.parametrize("damage", ["gone", "no file of numpy", "other vectors"])
def test_an_encoder_with_a_fault_is_not_ready(
    client: TestClient, place: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert client.get("/readyz").status_code == 200
    reference = place / "encoder" / REFERENCE
    if damage == "gone":
        reference.unlink()
    elif damage == "no file of numpy":
        reference.write_bytes(b"no archive")
    else:
        with np.load(reference) as stored:
            arrays = {name: stored[name] for name in stored}
        np.savez(reference, **(arrays | {"photo_vectors": -arrays["photo_vectors"]}))
    with caplog.at_level(logging.ERROR):
        assert unable(client, "GET", "/readyz", place)
    assert str(reference) in caplog.text


def test_a_gallery_with_a_fault_is_no_mistake_of_the_client(client: TestClient, place: Path) -> None:
    for path in (place / "gallery").glob("gallery.db*"):
        path.write_bytes(b"no database" * 1000)
    search = ("POST", "/api/v1/search/photo", place, {"id": 1})
    assert unable(client, *search)
    assert unable(client, "GET", "/readyz", place)
    assert unable(client, "GET", "/api/v1/photos/1", place)
    assert unable(client, "GET", "/api/v1/photos/1/thumb", place)
    refused = client.post("/api/v1/search/sketch", json={"strokes": []})
    assert refused.status_code == 422  # what a client does wrong is still its own


def test_notes_on_index_files_name_no_path(place: Path) -> None:
    with LocalGallery(place / "gallery", write=True) as gallery:
        gallery.choose("ivf")
        for _ in range(2):
            gallery.rebuild()
    server = open_server(str(place / "gallery"), str(place / "encoder"), Settings(threads=1))
    assert (
        b"crossx_recall NaN" in server.metrics.text()
    )  # no sketches were at hand to measure it, and 0 would be a claim
    server.close()
    server.gallery.close()
    index = place / "gallery/index"
    (index / "00000002.faiss").unlink()
    (index / "00000001.faiss").write_bytes(b"no index")
    server = open_server(str(place / "gallery"), str(place / "encoder"), Settings(threads=1))
    with TestClient(create_app(server), base_url="http://localhost") as client:
        answer = client.get("/api/v1/gallery")
        assert client.post("/api/v1/search/sketch", json={"strokes": drawing("cup")}).json()["results"]
    server.gallery.close()
    assert [note.partition(":")[0] for note in answer.json()["notes"]] == ["index 2 is left out", "index 1 is left out"]
    assert str(place) not in answer.text
