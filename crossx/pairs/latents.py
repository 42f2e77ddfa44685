"""The endless stream of latents: numbers that are a pure function of (seed, index)."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.utils.data import Dataset, DistributedSampler

from crossx.core.seeding import Stream, philox
from crossx.types import LatentBatch


class LatentDataset(Dataset[LatentBatch]):
    """Latent i of the stream, without the batch dimension.

    Args:
        seed: The run's seed.
        latent_dim: Z, length of the noise vector.
        length: Latents an epoch, over all processes. Indices beyond it are legal: the stream has no end.
    """

    def __init__(self, seed: int, latent_dim: int, length: int) -> None:
        self.seed = seed
        self.latent_dim = latent_dim
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> LatentBatch:
        """Noise (Z,) and uniform number () of one place in the stream."""
        draw = philox(self.seed, index, Stream.LATENTS)
        noise = torch.from_numpy(draw.standard_normal(self.latent_dim, np.float32))
        uniform = min(draw.random(), 1 - 2**-24)  # the largest float32 below 1: what lies above would become 1
        return LatentBatch(torch.tensor(index), noise, torch.tensor(uniform, dtype=torch.float32))


class LatentSampler(DistributedSampler[int]):
    """Indices `batches done * global batch + i`, rank-strided; no epoch in them.

    So a mid-epoch resume (where Lightning restarts the sampler) and a resume at an epoch's end give the very next
    latents, and the batches of two processes together are the double batch of one. A subclass of `DistributedSampler`
    because Lightning leaves those alone and wraps every other sampler.

    Args:
        data: The stream.
        replicas: Number of processes.
        rank: This process.
        batch_size: B of one process.
        batches_done: Called at the start of each epoch: training batches done since the very start.
    """

    def __init__(
        self, data: LatentDataset, replicas: int, rank: int, batch_size: int, batches_done: Callable[[], int]
    ) -> None:
        super().__init__(data, replicas, rank, shuffle=False, drop_last=True)
        self.global_batch = batch_size * replicas
        self.stream_length = len(data)
        self.batches_done = batches_done

    def __iter__(self) -> Iterator[int]:
        start = self.batches_done() * self.global_batch
        return iter(range(start + self.rank, start + self.stream_length, self.num_replicas))
