"""What the benchmark tells of a fit that runs."""

import os
import time
from pathlib import Path

import pytest

from benchmarks.quality.progress import reached, watched


def fit(folder: Path, steps: int) -> Path:
    (folder / "config.yaml").write_text("trainer:\n  max_steps: 40\n")
    rows = "".join(f"{step},0.5\n" for step in range(steps))
    (folder / "metrics.csv").write_text(f"step,train/loss\n{rows},0.1\n")
    return folder


def test_steps_and_the_time_that_the_others_take(tmp_path: Path) -> None:
    assert reached(fit(tmp_path, 10), time.time() - 120) == "step 10 of 40, about 6 minutes left"


def test_nothing_before_the_first_step_and_behind_the_last(tmp_path: Path) -> None:
    assert not reached(tmp_path, 0.0)
    assert not reached(fit(tmp_path, 0), 0.0)
    assert not reached(fit(tmp_path, 40), 0.0)


def test_nothing_of_an_earlier_fit(tmp_path: Path) -> None:
    os.utime(fit(tmp_path, 10) / "metrics.csv", (1, 1))
    assert not reached(tmp_path, 2.0)


def test_it_is_told_while_the_fit_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with watched("crossx, seed 0", tmp_path, every=0.01):
        for _ in range(500):
            fit(tmp_path, 10)
            time.sleep(0.01)
            if told := capsys.readouterr().out:
                break
    assert told.startswith("    crossx, seed 0: step 10 of 40, about ")
