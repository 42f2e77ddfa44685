"""Kills a piece of work at twenty places, spread evenly over the time that it takes.

A process that has imported everything forks a child for each kill, so that a kill costs no start of Python. Run as
`python -m support.kills MODULE FOLDER`: the module has `prepare(folder)`, `work(folder, tell)` and
`verify(folder, told)`, where `told` are the numbers that the work had told when it was killed.
"""

import os
import shutil
import signal
import struct
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

TIMES, TRIES = 20, 4


def kill_everywhere(
    folder: Path,
    prepare: Callable[[Path], None],
    work: Callable[[Path, Callable[[int], None]], None],
    verify: Callable[[Path, list[int]], None],
) -> int:
    """Run the work to its end once, then kill it twenty times; returns how many kills found it at work."""
    start = folder / "start"
    prepare(start)
    took, _, _ = _run(Path(shutil.copytree(start, folder / "whole")), work, None)
    hit = 0
    for i in range(TIMES):
        killed, after = False, took * (i + 0.5) / TIMES
        for _ in range(TRIES):  # the machine may be quicker now than it was at first
            place = Path(shutil.copytree(start, folder / str(i)))
            _, told, killed = _run(place, work, after)
            verify(place, told)
            shutil.rmtree(place)
            if killed:
                break
            after /= 2
        hit += killed
    return hit


def _run(
    folder: Path, work: Callable[[Path, Callable[[int], None]], None], after: float | None
) -> tuple[float, list[int], bool]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            work(folder, lambda number: _tell(writer, number))
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    started = time.monotonic()
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    took = time.monotonic() - started
    with os.fdopen(reader, "rb") as pipe:
        told = [number for (number,) in struct.iter_unpack("<q", pipe.read())]
    killed = os.WIFSIGNALED(status)
    if not killed and status:
        raise RuntimeError(f"the work failed with status {status}")
    return took, told, killed


def _tell(writer: int, number: int) -> None:
    os.write(writer, struct.pack("<q", number))


if __name__ == "__main__":
    module = import_module(sys.argv[1])
    print(kill_everywhere(Path(sys.argv[2]), module.prepare, module.work, module.verify))  # noqa: T201 - the answer
