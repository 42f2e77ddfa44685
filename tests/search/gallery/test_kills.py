"""kill -9, twenty times each: what was acknowledged is there, and nothing is half there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize("work", ["adding", "deleting", "saving", "pruning", "importing"])
def test_nothing_is_lost_and_nothing_is_half_there(work: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "support.kills", f"support.killed_{work}", str(tmp_path)]
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 15, "the work ended before most of the kills"
