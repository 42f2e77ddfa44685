"""`crossx serve` as a process: it answers, follows an index run, and ends at Ctrl-C."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.drawings import drawing
from support.photo_folders import folder_of
from support.served import Say

from crossx.cli import main
from crossx.search.gallery.local import LocalGallery
from crossx.search.opening import ENCODER_FOLDER
from crossx.search.predictor import Predictor

pytest_plugins = ["support.serving"]


@pytest.fixture
def place(predictor: Predictor, tmp_path: Path) -> Path:
    """A folder `photos` and its gallery `g`."""
    folder_of(tmp_path / "photos", ["a.png", "b.png"])
    words = ["--photos", str(tmp_path / "photos"), "--gallery", str(tmp_path / "g"), "--workers", "1"]
    assert main(["index", "--encoder", str(predictor.folder), *words]) == 0
    return tmp_path


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@pytest.fixture
def process(place: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "crossx", "serve", "--gallery", str(place / "g"), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "the page is" in process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def asked(port: int, address: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    content = None if body is None else json.dumps(body)
    headers = {"Content-Type": "application/json"} if content else {}
    connection.request("POST" if content else "GET", address, content, headers)
    answer = connection.getresponse().read()
    connection.close()
    return json.loads(answer)


def test_a_server_answers_follows_an_index_run_and_ends(
    process: subprocess.Popen[str], place: Path, port: int, predictor: Predictor, say: Say
) -> None:
    assert asked(port, "/readyz") == {"status": "ready"}
    found = asked(port, "/api/v1/search/sketch", {"strokes": drawing("umbrella")})
    assert found["query"]["guesses"][0]["class"] == "umbrella"
    assert {result["name"] for result in found["results"]} == {"a.png", "b.png"}

    folder_of(place / "photos", ["a.png", "b.png", "c.png"])
    words = ["--photos", str(place / "photos"), "--gallery", str(place / "g"), "--workers", "1"]
    say(["index", "--encoder", str(predictor.folder), *words])
    deadline = time.monotonic() + 10  # two seconds on an idle machine
    names: set[str] = set()
    while len(names) < 3 and time.monotonic() < deadline:
        found = asked(port, "/api/v1/search/sketch", {"strokes": drawing("umbrella")})
        names = {result["name"] for result in found["results"]}
    assert names == {"a.png", "b.png", "c.png"}

    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_a_search_multiplies_in_one_thread() -> None:
    """The libraries of numpy read the number of their threads when numpy is imported, and never again."""
    code = (
        "import os, sys\n"
        "names = ('OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'OMP_NUM_THREADS')\n"
        "class Look:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'numpy': print([os.environ.get(each) for each in names])\n"
        "sys.meta_path.insert(0, Look())\n"
        "from crossx.cli import main\n"
        "main(['serve', '--gallery', 'nowhere'])"
    )
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment["MKL_NUM_THREADS"] = "3"  # what somebody has chosen stays
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.splitlines() == ["['1', '3', '1']"], done.stderr


def test_mistakes_are_one_line(place: Path, port: int, refused: Say, predictor: Predictor) -> None:
    gallery = ["serve", "--gallery", str(place / "g")]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        used = taken.getsockname()[1]
        assert f"--port: {used} is in use by another program; choose another" in refused(
            [*gallery, "--port", str(used)]
        )
    assert "--port: must be in [1, 65535]" in refused([*gallery, "--port", "0"])
    assert "--host: must be an address" in refused([*gallery, "--host", "nowhere.invalid", "--port", str(port)])
    assert "gallery" in refused(["serve", "--gallery", str(place / "photos")])
    assert "--gallery" in refused(["serve"])
    assert "did you mean '--gallery'" in refused([*gallery, "--galery", "x"])
    with LocalGallery(place / "g", write=True) as opened:
        opened.set_setting(ENCODER_FOLDER, "")
    assert "--encoder: must name the folder of the gallery's encoder" in refused(gallery)
    assert os.path.isdir(predictor.folder)
