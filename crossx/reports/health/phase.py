"""The last steps of a phase, as the detectors read them."""

from collections import deque

import numpy as np

from crossx.reports.health.measures import FloatArray


class Phase:
    """Measures of the last steps of a phase.

    Args:
        trains: What the phase trains, in the plural, for messages.
        length: Number of steps that are kept.

    Attributes:
        steps: Steps so far.
    """

    def __init__(self, trains: str, length: int) -> None:
        self.trains = trains
        self.steps = 0
        self._readings: deque[dict[str, FloatArray]] = deque(maxlen=length)
        self._first: dict[str, float] = {}

    def add(self, reading: dict[str, FloatArray]) -> None:
        """Add a step."""
        self.steps += 1
        self._readings.append(reading)

    def last(self, name: str, least: int, most: int | None = None) -> FloatArray | None:
        """A measure over the last steps that have it.

        Args:
            name: Name of the measure.
            least: Steps with the measure that there must be; with fewer the result is None.
            most: Steps that are taken at most; None for `least`.
        """
        values = [reading[name] for reading in self._readings if name in reading][-(most or least) :]
        return np.stack(values) if len(values) >= least else None

    def first_median(self, name: str, window: int) -> float | None:
        """Median of a measure over the first window that it was asked for; None while no window is full."""
        values = self.last(name, window)
        if not self._first.get(name) and values is not None:
            self._first[name] = float(np.median(values))
        return self._first.get(name)
