"""Times side by side: what is compared takes turns, so that a slow minute of the machine meets all alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class Times:
    """Seconds of something that was done several times.

    Attributes:
        mean: The mean.
        median: The median.
        low: The first decile; the least of fewer than ten.
        high: The last decile; the most of fewer than ten.
        count: How often it was done.
    """

    mean: float
    median: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Row:
    """Something that was done in several ways.

    Attributes:
        what: What was done.
        seconds: Times by the name of the way.
        note: What a reader must know beside the times.
        figures: Other figures by name, such as a peak of memory.
    """

    what: str
    seconds: dict[str, Times]
    note: str = ""
    figures: dict[str, float] = field(default_factory=dict)

    def ratio(self, slow: str, fast: str) -> float:
        """How many times the median of one way is that of another."""
        return self.seconds[slow].median / self.seconds[fast].median


def times(seconds: Sequence[float]) -> Times:
    """Sum up at least one duration in seconds."""
    ordered = sorted(seconds)
    low, high = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
    return Times(statistics.mean(ordered), statistics.median(ordered), low, high, len(ordered))


def seconds(work: Callable[[], object]) -> float:
    """Seconds that a call takes, until a GPU has done its work, too."""
    start = clock()
    work()
    return clock() - start


def clock() -> float:
    """Seconds of a clock, read when a GPU has nothing left to do."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch's own; a run on the CPU leaves a GPU alone
        torch.cuda.synchronize()
    return time.perf_counter()


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int, skipped: int = 1) -> dict[str, Times]:
    """Do something in several ways by turns.

    Args:
        ways: What to call, by the name of the way.
        rounds: How often each is called and counts.
        skipped: First rounds that do not count: memory is allocated and kernels are chosen in them.
    """
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(skipped + rounds):
        for name, work in ways.items():
            taken = seconds(work)
            if turn >= skipped:
                found[name].append(taken)
    return {name: times(values) for name, values in found.items()}


def scaled(found: Times, factor: float) -> Times:
    """Times of a part of the work."""
    mean, median, low, high = (factor * value for value in (found.mean, found.median, found.low, found.high))
    return Times(mean, median, low, high, found.count)
