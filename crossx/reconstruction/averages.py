"""Averages of the generators' weights."""

from typing import cast

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from crossx.reconstruction.generators import GeneratorPair


class GeneratorAverage(AveragedModel):
    """Exponential moving average of the weights of both generators; it starts as their copy.

    BatchNorm's running statistics are not averaged but copied: pairs are normalised by the batch at hand. The optimiser
    does not see the average; the checkpoint holds it.

    Args:
        generators: Whose weights are averaged.
        decay: Share of itself that the average keeps at each update, in [0, 1].
    """

    def __init__(self, generators: GeneratorPair, decay: float) -> None:
        super().__init__(generators, multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]
        self.requires_grad_(False)
        self.n_averaged.fill_(1)  # the copy counts; torch would let the first update overwrite it

    @property
    def generators(self) -> GeneratorPair:
        """Generators with the averaged weights."""
        return cast(GeneratorPair, self.module)

    def start_anew(self, generators: GeneratorPair) -> None:
        """Forget the past, and be a copy again."""
        self.module.load_state_dict(generators.state_dict())

    @torch.no_grad()
    def copy_to(self, generators: GeneratorPair) -> None:
        """Give the generators the averaged weights."""
        for own, theirs in zip(self.module.parameters(), generators.parameters(), strict=True):
            theirs.copy_(own)
