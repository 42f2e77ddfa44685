"""The API: what it finds, page by page, and what it says about photos."""

import base64
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from support.drawings import as_png, drawing

from crossx.search.serve.server import Server

pytest_plugins = ["support.serving"]

Found = dict[str, Any]


@pytest.fixture
def find(client: TestClient) -> Callable[..., Found]:
    def find(what: str, **parameters: object) -> Found:
        content = parameters.pop("content", None)
        if content is None:
            body = {key: parameters.pop(key) for key in ("strokes", "id", "class") if key in parameters}
            answer = client.post(f"/api/v1/search/{what}", params=parameters, json=body)  # type: ignore[arg-type]
        else:
            headers = {"Content-Type": str(parameters.pop("kind"))}
            answer = client.post(f"/api/v1/search/{what}", params=parameters, content=content, headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        found: Found = answer.json()
        return found

    return find


def classes(found: Found) -> list[str]:
    return [result["name"].rpartition("-")[0] for result in found["results"]]


def test_drawn_umbrellas_find_umbrellas(find: Callable[..., Found]) -> None:
    found = find("sketch", strokes=drawing("umbrella"), k=5)
    assert classes(found).count("umbrella") >= 4
    query = found["query"]
    assert query["kind"] == "sketch"
    assert query["guesses"][0]["class"] == "umbrella"
    assert query["guesses"][0]["p"] > 0.5
    assert {result["verdict"] for result in found["results"]} <= {"likely", "possible", "unlikely"}
    assert found["results"][0]["verdict"] == "likely"
    assert found["ms"]["embed"] > 0


def test_the_answer_shows_what_the_encoder_saw(find: Callable[..., Found]) -> None:
    kind, _, data = find("sketch", strokes=[[[0, 10], [0, 0]]])["query"]["seen"].partition(",")
    assert kind == "data:image/png;base64"
    seen = np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("L"))
    assert seen.shape == (128, 128)
    assert (seen < 128).any(axis=0).mean() > 0.8  # a line from side to side
    assert (seen < 128).any(axis=1).mean() < 0.1


def test_ranks_are_those_of_the_metric(find: Callable[..., Found], server: Server) -> None:
    found = find("sketch", strokes=drawing("fish"), k=30)
    predictor, photos = server.searcher.queries.predictor, list(server.gallery.scan())
    from crossx.search.sketches import sketch_from_strokes

    query = predictor.embed_sketches(sketch_from_strokes({"strokes": drawing("fish")}, predictor.card).pixels[None])
    pictures = {photo.sha256: photo for photo in reversed(photos)}  # of copies, the first
    kept = sorted(pictures.values(), key=lambda photo: photo.id)
    order, scores = predictor.rank(query, np.stack([photo.vector for photo in kept]), 30)
    np.testing.assert_allclose([result["score"] for result in found["results"]], scores[0], atol=2e-6)
    ids = [kept[i].id for i in order[0]]
    same = [a == b["id"] for a, b in zip(ids, found["results"], strict=True)]
    ties = np.abs(np.diff(scores[0], prepend=2)) < 2e-6
    assert all(same | ties | np.roll(ties, -1))


def test_pages_follow_each_other(find: Callable[..., Found]) -> None:
    whole = find("sketch", strokes=drawing("tree"), k=60)
    parts: list[Found] = []
    offset = 0
    while offset is not None and len(parts) < 60:
        page = find("sketch", strokes=drawing("tree"), k=20, offset=offset)
        parts += page["results"]
        offset = page["next"]
    assert [part["id"] for part in parts][:60] == [result["id"] for result in whole["results"]]
    last = find("sketch", strokes=drawing("tree"), k=200)
    assert last["next"] is None
    assert len(last["results"]) == 80  # the copy is told with its twin


def test_a_folder_and_copies(find: Callable[..., Found]) -> None:
    found = find("sketch", strokes=drawing("cup"), k=200, under="odd")
    assert len(found["results"]) == 41
    assert {result["folder"] for result in found["results"]} == {"odd"}
    everywhere = find("sketch", strokes=drawing("cup"), k=200)["results"]
    twins = [result for result in everywhere if result["copies"]]
    assert [result["name"] for result in twins] == ["cup-0000.jpg"]
    assert len(find("sketch", strokes=drawing("cup"), k=200, under="%6fdd")["results"]) == 41
    assert find("sketch", strokes=drawing("cup"), under="nowhere")["results"] == []
    ids = [twins[0]["id"], *twins[0]["copies"]]
    for number in ids:  # of a photo that is asked for, neither itself nor a copy is an answer
        like = find("photo", id=number, k=200)["results"]
        assert len(like) == 79
        assert not set(ids) & {result["id"] for result in like}


def test_an_answer_does_not_count_the_gallery(
    find: Callable[..., Found], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("status", "count"):
        monkeypatch.setattr(server.gallery, name, lambda: pytest.fail("counted"))
    found = find("sketch", strokes=drawing("cup"), under="odd")
    assert (found["exact"], found["recall"]) == (True, 1.0)


def test_more_like_a_photo_of_the_gallery(find: Callable[..., Found]) -> None:
    """The photo itself is no answer, and photos of its class come first."""
    first = find("class", **{"class": "rocket"})["results"][0]["id"]
    found = find("photo", id=first, k=5)
    assert first not in [result["id"] for result in found["results"]]
    assert classes(found).count("rocket") >= 4
    assert len(found["results"]) == 5
    following = find("photo", id=first, k=200, offset=found["next"])
    assert len({result["id"] for result in found["results"] + following["results"]} - {first}) == 79
    assert found["query"]["kind"] == "photo"


def test_a_photo_that_is_uploaded_finds_its_class(find: Callable[..., Found], photos: Path) -> None:
    content = (photos / "house-0002.jpg").read_bytes()
    found = find("photo", content=content, kind="image/jpeg", k=3)
    assert classes(found) == ["house"] * 3
    assert found["query"]["guesses"][0]["class"] == "house"
    assert found["query"]["seen"].startswith("data:image/png")


@pytest.mark.parametrize("name", ["mushroom", "ice cream"])
def test_a_class_by_its_name(find: Callable[..., Found], name: str) -> None:
    found = find("class", k=5, **{"class": name})
    assert classes(found).count(name.replace(" ", "_")) >= 4
    assert found["results"][0]["verdict"] == "likely"


def test_a_drawing_as_a_picture(find: Callable[..., Found]) -> None:
    found = find("sketch", content=as_png(drawing("umbrella")), kind="image/png", k=5)
    assert found["query"]["guesses"][0]["class"] == "umbrella"
    assert classes(found).count("umbrella") >= 3


def test_what_the_gallery_is(client: TestClient) -> None:
    about = client.get("/api/v1/gallery").json()
    assert about["count"] == 81
    assert "umbrella" in about["classes"]
    assert about["encoder"]["format"] == "crossx-encoder/1"
    assert (about["engine"], about["recall"], about["indexing"]) == ("exact", 1.0, False)
    assert about["limits"]["k"] == 200


def test_photos_and_their_small_pictures(client: TestClient, find: Callable[..., Found]) -> None:
    result = find("class", **{"class": "car"})["results"][0]
    about = client.get(f"/api/v1/photos/{result['id']}").json()
    assert {key: about[key] for key in ("name", "folder", "width", "height")} == {
        key: result[key] for key in ("name", "folder", "width", "height")
    }
    for address, side in ((result["thumb"], 96), (f"/api/v1/photos/{result['id']}/full", 96)):
        answer = client.get(address)
        assert answer.headers["content-type"] == "image/jpeg"
        assert Image.open(BytesIO(answer.content)).size == (side, side)


def test_health_readiness_and_numbers(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}
    client.get("/secret-of-a-client")
    text = client.get("/metrics").text
    assert 'crossx_requests_total{route="/healthz",status="200"}' in text
    assert "crossx_photos 81.0" in text
    assert 'crossx_search_seconds_count{part="embed"}' in text
    assert "secret" not in text


def test_openapi_describes_the_routes_and_their_bodies(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    bodies = paths["/api/v1/search/sketch"]["post"]["requestBody"]["content"]
    assert set(bodies) == {"application/json", "image/png", "image/jpeg", "image/webp", "image/svg+xml"}
    assert "/api/v1/photos/{id}/thumb" in paths
    assert client.get("/docs").status_code == 404  # it would load its scripts from elsewhere
