"""Fixtures of a server over a gallery of shapes; a test file that uses them names this module in `pytest_plugins`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from crossx.cli import main
from crossx.cli.demo import SHIPPED
from crossx.data.shapes.gallery import write_photos
from crossx.search.gallery.local import LocalGallery
from crossx.search.predictor import Predictor
from crossx.search.serve.app import create_app
from crossx.search.serve.queries import Queries
from crossx.search.serve.server import Server, Settings
from support.served import Say, add_all
from support.shared import shared

EACH = 8
"""Photos of each shape."""


@pytest.fixture(scope="session")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """The encoder that `crossx demo` makes."""

    def export(folder: Path) -> None:
        assert main(["export", "--teachers", *SHIPPED, "--data", "data/shapes.yaml", "--out", str(folder)]) == 0

    return Predictor(shared(tmp_path_factory, "encoder", export))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of shapes; those with odd numbers in a folder of their own, and one is there twice."""
    folder = tmp_path_factory.mktemp("photos") / "photos"
    write_photos(folder, EACH, 96)
    (folder / "odd").mkdir()
    for path in sorted(folder.glob("*[13579].jpg")):
        path.rename(folder / "odd" / path.name)
    (folder / "odd/copy.jpg").write_bytes((folder / "cup-0000.jpg").read_bytes())
    return folder


@pytest.fixture(scope="session")
def gallery_folder(predictor: Predictor, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gallery of these photos."""
    folder = tmp_path_factory.mktemp("gallery") / "gallery"
    add_all(predictor, photos, folder)
    return folder


@pytest.fixture(scope="module")
def server(predictor: Predictor, gallery_folder: Path) -> Iterator[Server]:
    """A server's parts, without a port."""
    with LocalGallery(gallery_folder) as gallery:
        yield Server(gallery, Queries(predictor), Settings(threads=2))


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[TestClient]:
    """A client of the application, in this process."""
    with TestClient(create_app(server), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command line, which must succeed; returns what it prints."""

    def say(words: Sequence[str]) -> str:
        capsys.readouterr()
        status = main(list(words))
        said = capsys.readouterr()
        assert status == 0, said.err
        return said.out

    return say


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command line, which must be refused with one line; returns that line."""

    def refused(words: Sequence[str], status: int = 2) -> str:
        capsys.readouterr()
        assert main(list(words)) == status
        said = capsys.readouterr().err
        assert said.startswith("crossx: error: ")
        assert said.count("\n") == 1
        return said.removeprefix("crossx: error: ").strip()

    return refused
