"""Pairs of fixed latents: from one picture to the next, only the generators change."""

from lightning.fabric.utilities import move_data_to_device
from torch import nn

from crossx.core.seeding import run_seed
from crossx.pairs.latents import LatentDataset
from crossx.types import PairBatch, Sampler


def sample_fixed(module: Sampler, count: int, batch: int = 0) -> PairBatch:
    """Sample the run's first latents, without gradient.

    Args:
        module: A module with generators.
        count: Number of latents in a batch; generators normalise by the batch, so take the training batch's number.
        batch: Which batch of the stream of latents.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module: must be an nn.Module, got {type(module).__name__}")
    stream = LatentDataset(run_seed(), module.latent_dim, 1)
    latents = stream.__getitems__(list(range(batch * count, (batch + 1) * count)))
    device = next(module.parameters()).device
    return module.sample(move_data_to_device(latents, device))


class FixedPairs:
    """The first batch of fixed latents, generated once a step for all reports that show it."""

    def __init__(self) -> None:
        self._key: tuple[int, int, int] | None = None
        self._pairs: PairBatch | None = None

    def at(self, step: int, module: Sampler, count: int) -> PairBatch:
        """Pairs of the first `count` latents by the generators of a step.

        Args:
            step: Optimiser steps done; other steps have other generators.
            module: A module with generators.
            count: See `sample_fixed`.
        """
        key = (step, id(module), count)
        if self._pairs is None or self._key != key:
            self._key, self._pairs = key, sample_fixed(module, count)
        return self._pairs

    def clear(self) -> None:
        """Forget the pairs: another fit or validation may begin with other weights."""
        self._key = self._pairs = None
