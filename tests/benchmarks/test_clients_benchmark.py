import subprocess
import sys

import pytest

from benchmarks import clients
from crossx.core.errors import WorkError
from crossx.search.predictor import Predictor

pytest_plugins = ["support.serving"]


def test_clients_that_draw_get_answers(predictor: Predictor) -> None:
    found = clients.measure(str(predictor.folder), photos=500, clients=2, seconds=2.0)
    assert found["errors"] == 0, found["first error"]
    assert found["answers"] >= 2
    assert 0 < found["ms, median"] <= found["ms, 99th percentile"]


def test_a_server_that_does_not_start_is_said() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(WorkError, match="did not start"):
        clients.wait_for("http://127.0.0.1:1", ended)
