"""A bounded pool of earlier pairs, mixed into the new ones."""

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from crossx.core.batches import concatenate, take
from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox, run_seed
from crossx.core.tables import Table
from crossx.data.base import RetrievalData
from crossx.pairs.pool import RingPool
from crossx.types import LatentBatch, PairBatch, PairSource


class Replay(PairSource):
    """Fill a share of every batch with pairs of earlier batches.

    Generators drift while they learn; encoders trained on the newest images alone forget the older ones (forgetting is
    what replay cures in data-free distillation, arXiv 2108.05698). Where generators stand still, and with real images,
    the pool saves the passes of generators and teachers. The pool is class-balanced: each class of the union
    (a pair's `target`) has a ring of its own, places are divided equally among the rings, and a replayed pair is drawn
    by ring first. Classes that one teacher alone knows have at most as many rings as the shared classes, and share
    them where they are more, so that the shared classes have at least half of the pool. Images are kept as uint8 beside
    the teachers' outputs on them.

    The pool is no `nn.Module` buffer, because DDP broadcasts buffers; every process has its own. It is not part of
    the checkpoint: a resumed run starts with an empty pool, and until a batch's share has been seen, batches are all
    new. Only the new part of a batch is sampled, so generators with BatchNorm normalise by that part.

    Args:
        source: Where new pairs come from.
        share: Part of each batch that is replayed, in (0, 1).
        size: Pairs in the pool of one process.

    Raises:
        InputError: When `share` or `size` is out of range, or a batch's share is larger than the pool.
    """

    def __init__(self, source: PairSource, share: float = 0.5, size: int = 4096) -> None:
        must_be_in("replay.share", share, "(0, 1)")
        must_be_in("replay.size", size, "[1, inf)")
        self.source = source
        self.num_classes, self.shared = source.num_classes, source.shared
        ring = rings(source.num_classes, source.shared)
        self._rings = int(ring.max()) + 1
        if size < self._rings:
            raise InputError(f"replay.size: must be at least {self._rings}, one pair a class, got {size}")
        self._ring_of = Table(ring)
        self.real, self.true_labels = source.real, source.true_labels
        self.share = share
        self.size = size
        self._pool: RingPool | None = None

    @property
    def latent_dim(self) -> int:
        """Z of the source."""
        return self.source.latent_dim

    def loaded(self, latents: Dataset[LatentBatch], data: RetrievalData | None) -> Dataset[LatentBatch]:
        """Return what the source reads."""
        return self.source.loaded(latents, data)

    def __len__(self) -> int:
        """Pairs in the pool now."""
        return 0 if self._pool is None else len(self._pool)

    def sample(self, latents: LatentBatch) -> PairBatch:
        """New pairs for the first latents, earlier ones in the place of the rest."""
        count = len(latents.noise)
        self.check_batch(count)
        replayed = self._replayed(count)
        if self._pool is None or replayed == 0 or self._pool.seen < replayed:
            new = self.source.sample(latents)
            self._remember(new)
            return new
        new = self.source.sample(take(latents, slice(count - replayed)))
        # Drawn on the CPU, where the numbers are the same for all devices.
        draw = philox(run_seed(), int(latents.index[0]), Stream.REPLAY)
        old = self._pool.recall(torch.from_numpy(draw.random((2, replayed), np.float32)))
        self._remember(new)
        return concatenate([new, old])

    def check_batch(self, size: int) -> None:
        """Refuse batches whose replayed share the pool can never hold: it would silently never be used.

        Raises:
            InputError: When the pool is smaller than a batch's share, or the source cannot serve the batch.
        """
        self.source.check_batch(size)
        held = self._places * self._rings
        if self._replayed(size) > held:
            raise InputError(
                f"replay.size: must hold the {self._replayed(size)} pairs that a batch of {size} replays, got "
                f"{self.size}, which is {held} in equal parts for {self._rings} classes"
            )

    def _replayed(self, count: int) -> int:
        """Pairs of a batch that are replayed: at least one pair of a batch is always new."""
        return min(round(self.share * count), count - 1)

    @property
    def _places(self) -> int:
        """Places a ring has in the pool."""
        return self.size // self._rings

    def _remember(self, pairs: PairBatch) -> None:
        if self._pool is None:
            self._pool = RingPool(pairs, self._rings, self._places)
        self._pool.remember(pairs, self._ring_of.on(pairs.target.device)[pairs.target])


def rings(num_classes: int, shared: Tensor | None = None) -> Tensor:
    """Ring of each class in a pool in which the shared classes have at least half of the rings.

    Args:
        num_classes: U.
        shared: Mask of the classes that both teachers know, (U,) bool; None for all classes.

    Returns:
        (U,) int64, numbers from 0 on: a ring of its own for each class, or, where the other classes are more than the
        shared ones, for each shared class and as many rings for all others.
    """
    if shared is None or 2 * int(shared.sum()) >= num_classes:
        return torch.arange(num_classes)
    own, other = shared.cumsum(0) - 1, (~shared).cumsum(0) - 1
    count = int(shared.sum())
    return torch.where(shared, own, count + other % count)
