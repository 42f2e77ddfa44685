"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How long a measurement takes.

    Attributes:
        rounds: How often each step is taken and counts.
        queries: Sketches that measures of retrieval are computed for.
        photos: Photos of their gallery.
        largest: Photos of the largest gallery at which cost is measured, at least 1,000.
        accelerator: Where fits run, as `trainer.accelerator` has it.
    """

    rounds: int = 30
    queries: int = 2000
    photos: int = 17_101
    largest: int = 1_000_000
    accelerator: str = "cpu"


FULL = Effort()
QUICK = Effort(rounds=10, queries=500, largest=100_000)
"""For the gate: steps and measures in a minute or two."""
