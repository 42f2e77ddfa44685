"""Running jobs: several at a time, each in a process that ends with the benchmark, and none twice."""

import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import lightning
import torch

from benchmarks.machine import commit, processor
from benchmarks.quality.identity import check_unchanged
from benchmarks.quality.plan import Job
from crossx.cli.precision import computes_bfloat16
from crossx.core.atomic import write_text
from crossx.core.errors import InputError
from crossx.core.version import __version__

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


class Runner:
    """Runs jobs below a folder, from any thread.

    Args:
        lock: Descriptor of a file that is locked as long as one of the processes lives.
    """

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._folder = Path.cwd()  # now: it changes for moments while a config is read
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def make(self, job: Job) -> str:
        """Run a job unless it is done; returns why it failed, or nothing.

        A job that was killed leaves a folder without `done.json`: it is removed and filled anew, so that the figures
        are those of a run that was not interrupted.
        """
        if job.is_done():
            return ""
        try:
            self._run(job)
        except (InputError, OSError) as error:  # a user's mistake, a missing file, a full disk
            return " ".join(str(error).split())
        job.beside(".failed").unlink(missing_ok=True)
        return ""

    def _run(self, job: Job) -> None:
        shutil.rmtree(job.folder, ignore_errors=True)
        job.folder.mkdir(parents=True)
        files, made_with = job.files, environment()
        if status := self.crossx(job.argv, job.beside(".log")):
            raise _failure(job, status)
        check_unchanged(job.identity, with_code=job.with_code)
        write_text(job.done, json.dumps({"files": files, "made_with": made_with}) + "\n")

    def crossx(self, argv: Sequence[str], log: Path) -> int:
        """Run a command in a process of its own, and return its exit status.

        The last digits of figures depend on the number of threads: one, unless `OMP_NUM_THREADS` is set.

        Args:
            argv: Arguments of `benchmarks.quality.child`.
            log: File for its output.
        """
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        command = [sys.executable, "-m", "benchmarks.quality.child", str(os.getpid()), *argv]
        if self._stopped:
            raise KeyboardInterrupt
        with log.open("w") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                env=environment,
                pass_fds=[self._lock],
                start_new_session=True,  # an interrupt from the keyboard is for the benchmark, which then ends the rest
                cwd=self._folder,
            )
        self._running.add(process)
        status = process.wait()
        self._running.discard(process)
        if self._stopped:
            raise KeyboardInterrupt
        return status

    def stop(self) -> None:
        """End what runs, and start nothing more."""
        self._stopped = True
        for process in list(self._running):
            process.kill()


@contextmanager
def locked(folder: Path) -> Iterator[Runner]:
    """Runner of a folder that no other command writes to meanwhile.

    Raises:
        InputError: When the folder cannot be written, or another command, or a process that one left behind, uses it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"--output: must be a folder that can be written, got {str(folder)!r} ({error})") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"--output: another command writes to {folder}; wait for it, or name another") from None
        runner = Runner(lock)
        try:
            yield runner
        finally:
            runner.stop()
    finally:
        os.close(lock)


def each(function: Callable[[_Item], _Done], items: Sequence[_Item], jobs: int) -> Iterator[_Done]:
    """Apply a function to all items, several at a time, in the order in which they end."""
    pool = ThreadPoolExecutor(jobs)
    try:
        for future in as_completed([pool.submit(function, item) for item in items]):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _failure(job: Job, status: int) -> InputError:
    """A message with the last error of the job's log."""
    log, start = job.beside(".log"), "crossx: error: "
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    errors = [line.removeprefix(start) for line in lines if line.startswith(start)]
    because = f": {errors[-1].rstrip('.')}" if errors else ""
    return InputError(f"{job.name} ended with status {status}{because}; see {log}")


def environment() -> dict[str, str]:
    """Versions, commit and machine; the last digits of sums depend on the instructions of the processor."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "crossx": __version__,
        "commit": commit(),
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "python": platform.python_version(),
        "threads": os.environ.get("OMP_NUM_THREADS", "1"),
        "cpu": f"{processor()}, {torch.backends.cpu.get_cpu_capability()}",
        "bfloat16": "computed" if computes_bfloat16() else "not computed: trained in float32 on the CPU",
        **({"gpus": ", ".join(gpus)} if gpus else {}),
    }
