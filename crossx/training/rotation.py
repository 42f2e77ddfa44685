"""Whose turn a batch is: a pure function of the batches done, so that processes and resumed runs agree."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rotation:
    """The first player alone for a warm-up, then all players in turn.

    Attributes:
        steps: Batches of each player in a cycle, in the order of the cycle; at least one is positive.
        warmup: Batches of the first player before the first cycle.
    """

    steps: Sequence[int]
    warmup: int = 0

    def player(self, done: int) -> int:
        """Index of the player who trains on the coming batch, after `done` batches."""
        place = (done - self.warmup) % sum(self.steps)
        if done < self.warmup:
            return 0
        for index, count in enumerate(self.steps):
            if place < count:
                return index
            place -= count
        raise AssertionError("a place in a cycle lies within it")

    def batches_of(self, player: int, done: int) -> int:
        """Count how many of the first `done` batches train a player."""
        cycles, rest = divmod(max(done - self.warmup, 0), sum(self.steps))
        before = sum(self.steps[:player])
        own = self.steps[player]
        warmup = min(done, self.warmup) if player == 0 else 0
        return warmup + cycles * own + min(max(rest - before, 0), own)
