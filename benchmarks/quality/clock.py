"""How long jobs take, and so how long the rest will."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock


class Clock:
    """Measures jobs, from any thread.

    Args:
        jobs: Number of jobs that run at a time.
        planned: Kind of each job that is to run.
    """

    def __init__(self, jobs: int, planned: Sequence[str]) -> None:
        self._jobs = jobs
        self._waiting = list(planned)
        self._running: dict[float, str] = {}
        self._spent: dict[str, list[float]] = {}
        self._guard = Lock()

    @contextmanager
    def measure(self, kind: str) -> Iterator[None]:
        """Measure a job of a kind."""
        started = time.monotonic()
        with self._guard:
            self._waiting.remove(kind)
            self._running[started] = kind
        try:
            yield
        finally:
            with self._guard:
                del self._running[started]
                self._spent.setdefault(kind, []).append(time.monotonic() - started)

    def left(self) -> str:
        """About how many minutes the rest takes; unknown before a job of each kind has ended."""
        with self._guard:
            if not all(kind in self._spent for kind in (*self._waiting, *self._running.values())):
                return "time left not known yet"
            mean = {kind: sum(spent) / len(spent) for kind, spent in self._spent.items()}
            now = time.monotonic()
            seconds = sum(mean[kind] for kind in self._waiting)
            seconds += sum(max(0.0, mean[kind] - (now - started)) for started, kind in self._running.items())
        return f"about {seconds / self._jobs / 60:.0f} minutes left"
