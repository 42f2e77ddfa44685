"""Other web sites reach neither the API nor the photos."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from crossx.search.serve.security import POLICY, Guard


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("ours"))])
    app.add_middleware(Guard, names=("Photos.Example",))
    return TestClient(app, base_url="http://127.0.0.1")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8321", "127.0.0.1:8321", "192.168.1.7", "[::1]:8321", "photos.example:80", "LOCALHOST"],
)
def test_addresses_and_allowed_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).text == "ours"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "a@b"])
def test_other_names_are_refused(client: TestClient, host: str) -> None:
    """A name that somebody has pointed at this machine would make his page one of ours (DNS rebinding)."""
    response = client.get("/", headers={"Host": host})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert "--allowed-hosts" in response.json()["detail"]
    assert "ours" not in response.text


def test_requests_of_other_sites_are_refused_and_links_are_not(client: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert client.get("/", headers=headers | {"Sec-Fetch-Mode": "no-cors"}).status_code == 403
    assert client.get("/", headers=headers | {"Sec-Fetch-Mode": "navigate"}).text == "ours"
    assert client.get("/", headers={"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}).text == "ours"


@pytest.mark.parametrize("headers", [{}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_every_answer_has_the_policies(client: TestClient, headers: dict[str, str]) -> None:
    found = client.get("/", headers=headers).headers
    assert found["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert found["cross-origin-resource-policy"] == "same-origin"
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in found
