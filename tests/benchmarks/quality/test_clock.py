"""Time left, from the jobs that have ended."""

import time

import pytest

from benchmarks.quality.clock import Clock


def test_time_left_is_that_of_jobs_of_the_same_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    told = Clock(2, ["fit", "fit", "fit", "measurement"])
    with told.measure("fit"):
        assert told.left() == "time left not known yet"
        now = 600.0
    assert told.left() == "about 15 minutes left"  # two fits and a measurement, taken to be as long
    with told.measure("measurement"):
        now = 720.0
    assert told.left() == "about 10 minutes left"  # two fits of 10 minutes, two at a time
    with told.measure("fit"):
        now = 960.0
        assert told.left() == "about 8 minutes left"  # 6 of 10, and 10
        now = 2000.0
        assert told.left() == "about 5 minutes left"  # longer than the others: it may end at any time
    with told.measure("fit"):
        now = 2001.0
    assert told.left() == "about 0 minutes left"


def test_earlier_commands_tell_how_long_jobs_take() -> None:
    assert Clock(2, ["fit a", "fit b"], {"fit a": [300.0, 900.0]}).left() == "about 10 minutes left"
