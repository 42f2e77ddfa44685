"""Pairs of fixed latents: what changes from one picture to the next is the generators alone."""

from typing import Any

from lightning.fabric.utilities import move_data_to_device

from crossx.core.batches import stack
from crossx.core.seeding import run_seed
from crossx.pairs.latents import LatentDataset
from crossx.types import PairBatch


def sample_fixed(module: Any, count: int, batch: int = 0) -> PairBatch:  # noqa: ANN401 - any module with generators
    """Pairs of the run's first latents, without gradient.

    Args:
        module: A module that samples latents.
        count: As many as a training batch has: the generators normalise by the batch.
        batch: Which batch of the stream.
    """
    stream = LatentDataset(run_seed(), module.latent_dim, 1)
    latents = stack([stream[batch * count + i] for i in range(count)])
    pairs: PairBatch = module.sample(move_data_to_device(latents, module.device))
    return pairs
