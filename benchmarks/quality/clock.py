"""How long jobs take, and so how long the rest will."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock


class Clock:
    """Measures jobs, from any thread.

    Args:
        jobs: Number of jobs that run at a time.
        planned: Kind of each job that is to run.
        earlier: Kind of job -> seconds that such jobs took in earlier commands.
    """

    def __init__(self, jobs: int, planned: Sequence[str], earlier: Mapping[str, Sequence[float]] | None = None) -> None:
        self._jobs = jobs
        self._waiting = list(planned)
        self._running: dict[float, str] = {}
        self._spent = {kind: list(seconds) for kind, seconds in (earlier or {}).items()}
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
        """About how many minutes the rest takes; unknown before a job has ended.

        A kind of which no job has ended is taken to last as long as the others on average.
        """
        with self._guard:
            if not self._spent:
                return "time left not known yet"
            means = {kind: sum(spent) / len(spent) for kind, spent in self._spent.items()}
            average = sum(means.values()) / len(means)
            now = time.monotonic()
            seconds = sum(means.get(kind, average) for kind in self._waiting)
            running = self._running.items()
            seconds += sum(max(0.0, means.get(kind, average) - (now - started)) for started, kind in running)
        return f"about {seconds / self._jobs / 60:.0f} minutes left"
