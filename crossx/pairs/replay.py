"""A bounded pool of earlier pairs, mixed into the new ones."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from crossx.core.batches import concatenate, take
from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox, run_seed
from crossx.data.base import RetrievalData
from crossx.types import LatentBatch, PairBatch, PairSource, TeacherOutput


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
    the checkpoint: a resumed run starts with an empty pool, and until it holds a batch's share, batches are all new.
    Only the new part of a batch is sampled, so generators with BatchNorm normalise by that part.

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
        self._ring = rings(source.num_classes, source.shared)  # of each class
        count = int(self._ring.max()) + 1
        if size < count:
            raise InputError(f"replay.size: must be at least {count}, one pair a class, got {size}")
        self.real, self.true_labels = source.real, source.true_labels
        self.share = share
        self.size = size
        self._pool: PairBatch | None = None
        self._written = torch.zeros(count, dtype=torch.int64)  # pairs ever written, by ring

    @property
    def latent_dim(self) -> int:
        """Z of the source."""
        return self.source.latent_dim

    def loaded(self, latents: Dataset[LatentBatch], data: RetrievalData | None) -> Dataset[LatentBatch]:
        """Return what the source reads."""
        return self.source.loaded(latents, data)

    def __len__(self) -> int:
        """Pairs in the pool now."""
        return int(self._filled.sum())

    def sample(self, latents: LatentBatch) -> PairBatch:
        """New pairs for the first latents, earlier ones in the place of the rest."""
        count = len(latents.noise)
        self.check_batch(count)
        replayed = self._replayed(count)
        if replayed == 0 or len(self) < replayed:
            new = self.source.sample(latents)
            self._remember(new)
            return new
        new = self.source.sample(take(latents, slice(count - replayed)))
        old = self._recall(replayed, place=int(latents.index[0]))
        self._remember(new)
        return concatenate([new, old])

    def check_batch(self, size: int) -> None:
        """Refuse batches whose replayed share the pool can never hold: it would silently never be used.

        Raises:
            InputError: When the pool is smaller than a batch's share, or the source cannot serve the batch.
        """
        self.source.check_batch(size)
        held = self._places * len(self._written)
        if self._replayed(size) > held:
            raise InputError(
                f"replay.size: must hold the {self._replayed(size)} pairs that a batch of {size} replays, got "
                f"{self.size}, which is {held} in equal parts for {len(self._written)} classes"
            )

    def _replayed(self, count: int) -> int:
        """Pairs of a batch that are replayed: at least one pair of a batch is always new."""
        return min(round(self.share * count), count - 1)

    @property
    def _places(self) -> int:
        """Places a ring has in the pool."""
        return self.size // len(self._written)

    @property
    def _filled(self) -> Tensor:
        """Pairs in the pool now, by ring."""
        return self._written.clamp(max=self._places)

    def _recall(self, count: int, place: int) -> PairBatch:
        if self._pool is None:
            raise RuntimeError("nothing has been remembered yet")
        draw = philox(run_seed(), place, Stream.REPLAY)
        present = self._filled.nonzero().flatten().numpy()
        chosen = torch.from_numpy(present[draw.integers(len(present), size=count)])
        offsets = torch.from_numpy(draw.integers(self._filled[chosen].numpy()))
        rows = (chosen * self._places + offsets).to(self._pool.photo.device)
        old = take(self._pool, rows)
        old.photo, old.sketch = old.photo.float().div_(255.0), old.sketch.float().div_(255.0)
        return old

    def _remember(self, pairs: PairBatch) -> None:
        pool = self._pool = self._pool or _empty_like(pairs, self._places * len(self._written))
        rows = []
        for ring in self._ring[pairs.target.cpu()].tolist():
            rows.append(ring * self._places + int(self._written[ring]) % self._places)
            self._written[ring] += 1
        # Later rows of one batch win over earlier ones in the same place, in a fixed order.
        last = {row: i for i, row in enumerate(rows)}
        into, chosen = torch.tensor(list(last)), torch.tensor(list(last.values()))
        kept = take(_quantised(pairs), chosen.to(pairs.photo.device))
        for place, value in zip(_tensors(pool), _tensors(kept), strict=True):
            place[into.to(place.device)] = value


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


def _quantised(pairs: PairBatch) -> PairBatch:
    """Images as uint8, everything else as it is."""
    photo, sketch = (x.mul(255).round_().to(torch.uint8) for x in (pairs.photo, pairs.sketch))
    return PairBatch(photo, sketch, pairs.photo_teacher, pairs.sketch_teacher, pairs.target)


def _tensors(pairs: PairBatch) -> list[Tensor]:
    outputs: tuple[TeacherOutput, TeacherOutput] = (pairs.photo_teacher, pairs.sketch_teacher)
    return [pairs.photo, pairs.sketch, pairs.target, *(t for o in outputs for t in (o.logits, o.features))]


def _empty_like(pairs: PairBatch, size: int) -> PairBatch:
    return take(_quantised(pairs), torch.zeros(size, dtype=torch.int64))
