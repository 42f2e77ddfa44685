"""The endless stream of latents: numbers that are a pure function of (seed, index)."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, DistributedSampler

from crossx.core.batches import stack
from crossx.core.seeding import Stream, philox
from crossx.types import LatentBatch

_LARGEST = 1 - 2**-24
"""The largest float32 below 1: float64 numbers between the two may be rounded to 1."""
_BLOCK = 64
"""Latents that one random generator draws: making a generator takes as long as drawing many numbers."""
_Block = tuple[NDArray[np.float32], NDArray[np.float32]]


class LatentDataset(Dataset[LatentBatch]):
    """Latent i of the stream, without the batch dimension; or a batch of them at once.

    Args:
        seed: The run's seed.
        latent_dim: Z, length of the noise vector.
        length: Latents an epoch, over all processes. Indices beyond it are legal: the stream has no end.
    """

    def __init__(self, seed: int, latent_dim: int, length: int) -> None:
        self.seed = seed
        self.latent_dim = latent_dim
        self.length = length
        self._last: tuple[int, _Block] | None = None

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> LatentBatch:
        """Noise (Z,) and uniform number () of one place in the stream."""
        noise, uniform = self._block(index // _BLOCK)
        row = index % _BLOCK
        return LatentBatch(torch.tensor(index), torch.from_numpy(noise[row].copy()), torch.tensor(uniform[row]))

    def __getitems__(self, indices: list[int]) -> LatentBatch:
        """Latents of several places as a batch; PyTorch's loader prefers this method where a data set has it."""
        blocks, block_of = np.unique(np.array(indices) // _BLOCK, return_inverse=True)
        noise, uniform = zip(*(self._block(int(block)) for block in blocks), strict=True)
        rows = block_of * _BLOCK + np.array(indices) % _BLOCK
        return LatentBatch(
            torch.tensor(indices),
            torch.from_numpy(np.concatenate(noise)[rows]),
            torch.from_numpy(np.concatenate(uniform)[rows]),
        )

    def _block(self, block: int) -> _Block:
        """Noise (64, Z) and uniform numbers (64,); the last block is kept, because neighbours are asked for next."""
        if self._last is None or self._last[0] != block:
            self._last = block, self._drawn(block)
        return self._last[1]

    def _drawn(self, block: int) -> _Block:
        draw = philox(self.seed, block, Stream.LATENTS)
        uniform = np.minimum(draw.random(_BLOCK), _LARGEST).astype(np.float32)
        # By coordinate, so that longer noise begins like shorter noise.
        return draw.standard_normal((self.latent_dim, _BLOCK), np.float32).T, uniform


def collate(items: LatentBatch | list[LatentBatch]) -> LatentBatch:
    """Stack what a data set of latents gives to the loader, unless it is a batch already."""
    return items if isinstance(items, LatentBatch) else stack(items)


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
