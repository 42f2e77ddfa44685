"""Learning-rate schedule of sketch-rnn and of the photo-to-sketch generator."""

from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from crossx.core.checks import must_be_in


class DecayTo(LambdaLR):
    """Exponential decay to a floor: (rate - floor) * decay^steps + floor.

    As published, from a rate of 1e-4 to 1e-5 by 0.9999 a step ("More Photos are All You Need", arXiv 2103.13990).

    Args:
        optimizer: The optimiser, which has the first rate.
        floor: Rate in the end, at least 0 and at most the first rate.
        decay: Factor of a step, in (0, 1].

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, optimizer: Optimizer, floor: float = 1e-5, decay: float = 0.9999) -> None:
        must_be_in("DecayTo.decay", decay, "(0, 1]")
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        must_be_in("DecayTo.floor", floor, f"[0, {min(rates)}]")
        super().__init__(optimizer, [partial(_factor, floor=floor / rate, decay=decay) for rate in rates])


def _factor(steps: int, floor: float, decay: float) -> float:
    """The rate after some steps over the first rate."""
    return (1 - floor) * decay**steps + floor
