"""What the command tells while it runs. A fit takes minutes, and its own output goes to a file."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from benchmarks.quality.curve import steps_done

EVERY = 120.0
"""Seconds between two lines about a fit."""


def tell(line: str) -> None:
    """Print a line in one piece: several threads tell what they do."""
    print(f"{line}\n", end="", flush=True)


@contextmanager
def watched(name: str, folder: Path, every: float = EVERY) -> Iterator[None]:
    """Tell every now and then how far a fit is.

    Args:
        name: What it is called.
        folder: Its run folder.
        every: Seconds from one line to the next.
    """
    started, ended = time.time(), threading.Event()

    def report() -> None:
        while not ended.wait(every):
            if line := reached(folder, started):
                tell(f"    {name}: {line}")

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def reached(folder: Path, started: float) -> str:
    """The steps that a fit has made, and about how long the others take; nothing as long as it has logged none.

    Args:
        folder: Its run folder.
        started: When it started, in seconds since the epoch: an older log is of another fit.
    """
    metrics = folder / "metrics.csv"
    try:
        if metrics.stat().st_mtime < started:
            return ""
        steps = steps_done(metrics)
        total = yaml.safe_load((folder / "config.yaml").read_text())["trainer"]["max_steps"]
    except FileNotFoundError:  # it has only just started
        return ""
    if not 0 < steps < total:
        return ""
    minutes = (time.time() - started) * (total / steps - 1) / 60
    return f"step {steps} of {total}, about {minutes:.0f} minutes left"
