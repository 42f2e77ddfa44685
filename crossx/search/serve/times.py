"""Where the time of one search went."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Times:
    """Milliseconds of the parts of one search."""

    def __init__(self) -> None:
        self.ms = {"prepare": 0.0, "embed": 0.0, "search": 0.0}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time of a block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.ms[name] += (time.perf_counter() - start) * 1000
