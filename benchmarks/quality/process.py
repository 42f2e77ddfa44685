"""Commands of crossx in processes of their own, which end when the benchmark ends, however it ends."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from crossx.core.errors import InputError

_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**34)}
"""The C library gives large blocks back and asks for them again, which costs a generator step a sixth of its time."""


class Processes:
    """Runs commands of crossx, from any thread.

    Args:
        lock: A file that is locked as long as one of the processes lives.
    """

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._folder = Path.cwd()  # now: it changes for moments while a config is read
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        self._stopped = False

    def crossx(self, words: Sequence[str], log: Path) -> int:
        """Run a command, and return its status.

        A row's figures depend in their last digits on the number of threads: one, unless `OMP_NUM_THREADS` says else.

        Args:
            words: Command line, starting with the subcommand.
            log: File that its output is appended to.

        Raises:
            KeyboardInterrupt: When it was stopped by `stop`.
        """
        environment = {"OMP_NUM_THREADS": "1", **_MEMORY, **os.environ}
        command = [sys.executable, "-m", "benchmarks.quality.child", str(os.getpid()), *words]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as output:
            with self._guard:
                if self._stopped:
                    raise KeyboardInterrupt
                # In a session of its own: an interrupt from the keyboard is for the benchmark, which then ends it.
                process = subprocess.Popen(  # noqa: S603 - our own command
                    command,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    pass_fds=[self._lock],
                    start_new_session=True,
                    cwd=self._folder,
                )
                self._running.add(process)
            status = process.wait()
        with self._guard:
            self._running.discard(process)
            if self._stopped:
                raise KeyboardInterrupt
        return status

    def stop(self) -> None:
        """End what runs, and start nothing more."""
        with self._guard:
            self._stopped = True
            for process in self._running:
                _signal(process, signal.SIGTERM)
        for process in list(self._running):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()


def failure(what: str, status: int, log: Path) -> InputError:
    """That a command ended badly, with the last error of its log, where it tells one."""
    start = "crossx: error: "
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    errors = [line.removeprefix(start) for line in lines if line.startswith(start)]
    because = f": {errors[-1].rstrip('.')}" if errors else ""
    return InputError(f"{what} ended with status {status}{because}; see {log}")


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Signal a process and those that it has started, such as a loader's workers."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


@contextmanager
def locked(folder: Path) -> Iterator[Processes]:
    """Processes that write below a folder, which nobody else writes to at the same time.

    A request to end (SIGTERM) counts as an interrupt from the keyboard.

    Raises:
        InputError: When it cannot be written, or another command, or a process that one has left behind, writes there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"--output: {str(folder)!r} is not legal; a folder that can be written ({error})") from error
    before = None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"--output: another command writes to {folder}; wait for it, or name another") from None
        processes = Processes(lock)
        if threading.current_thread() is threading.main_thread():
            before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            yield processes
        finally:
            processes.stop()
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
        os.close(lock)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
    raise KeyboardInterrupt
