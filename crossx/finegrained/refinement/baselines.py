"""Baselines of REINFORCE: what a drawing's reward is compared with."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from crossx.finegrained.types import Drawing

Judge = Callable[[Drawing], Tensor]
"""Reward of each drawing, (B,)."""
Draw = Callable[[], Drawing]
"""Draws the same photos once more, each with its most likely rows."""


class Baseline(ABC):
    """A number to compare each reward with; it must not depend on the very drawing that got the reward."""

    @abstractmethod
    def __call__(self, reward: Tensor, greedy: Draw, judge: Judge) -> Tensor:
        """Return the number for each drawing.

        Args:
            reward: Rewards of the drawings, (B,).
            greedy: Draws the most likely drawings of the same photos.
            judge: Rewards drawings.

        Returns:
            (B,), without gradient.
        """


class GreedyBaseline(Baseline):
    """The reward of the most likely drawing of the same photo (self-critical, arXiv 1612.00563), at twice the cost."""

    def __call__(self, reward: Tensor, greedy: Draw, judge: Judge) -> Tensor:
        """See `Baseline.__call__`."""
        return judge(greedy())


class BatchBaseline(Baseline):
    """The mean reward of the other drawings of the batch, at no cost."""

    def __call__(self, reward: Tensor, greedy: Draw, judge: Judge) -> Tensor:
        """See `Baseline.__call__`."""
        if len(reward) == 1:
            return torch.zeros_like(reward)
        return (reward.sum() - reward) / (len(reward) - 1)
