"""Earlier pairs on the device, in rings, which are written and drawn from without waiting for the device."""

import torch
from torch import Tensor

from crossx.core.batches import take
from crossx.types import PairBatch, TeacherOutput


class RingPool:
    """Rings of pairs, each of which forgets its oldest pairs first. Images are kept as uint8.

    Args:
        like: Pairs whose shapes, types and device those of the pool are.
        rings: R, number of rings.
        places: Pairs that a ring holds.

    Attributes:
        seen: Pairs ever written, also those that have been overwritten: a number that the host knows.
    """

    def __init__(self, like: PairBatch, rings: int, places: int) -> None:
        self.seen = 0
        self._places = places
        # One row more than there are places, which is written and never read.
        self._rows = take(_quantised(like), torch.zeros(rings * places + 1, dtype=torch.int64))
        self._written = torch.zeros(rings, dtype=torch.int64, device=like.photo.device)  # pairs ever written, by ring

    def __len__(self) -> int:
        """Pairs in the pool now; reading the number waits for the device."""
        return int(self._written.clamp(max=self._places).sum())

    def remember(self, pairs: PairBatch, ring: Tensor) -> None:
        """Write pairs, the later over the earlier ones.

        Args:
            pairs: B pairs.
            ring: Ring of each pair, (B,) int64.
        """
        order = ring.argsort(stable=True)
        counts = torch.zeros_like(self._written).scatter_add_(0, ring, torch.ones_like(ring))
        first = counts.cumsum(0) - counts  # place of each ring's first pair in that order
        turn = torch.empty_like(ring).scatter_(0, order, torch.arange(len(ring), device=ring.device))
        turn = turn - first[ring]  # 0 for the first pair of its ring in this batch
        row = ring * self._places + (self._written[ring] + turn) % self._places
        overwritten = turn < counts[ring] - self._places  # by later pairs of this very batch
        row = torch.where(overwritten, len(self._rows.target) - 1, row)
        for place, value in zip(_tensors(self._rows), _tensors(_quantised(pairs)), strict=True):
            place[row] = value
        self._written += counts
        self.seen += len(ring)

    def recall(self, uniform: Tensor) -> PairBatch:
        """Draw pairs, each by ring first: all rings that have pairs are drawn alike.

        Args:
            uniform: Random numbers in [0, 1) that choose the ring and the pair in it, (2, N).

        Returns:
            N pairs; a copy.

        Raises:
            RuntimeError: When nothing has been written.
        """
        if self.seen == 0:
            raise RuntimeError("recall: must come after remember, got an empty pool")
        device = self._written.device
        of_ring, of_pair = uniform.to(device, non_blocking=device.type == "cuda")
        filled = self._written.clamp(max=self._places)
        present = (filled > 0).cumsum(0)
        ring = torch.searchsorted(present, _below(of_ring, present[-1]), right=True)
        old = take(self._rows, ring * self._places + _below(of_pair, filled[ring]))
        old.photo, old.sketch = old.photo.float().div_(255.0), old.sketch.float().div_(255.0)
        return old


def _below(uniform: Tensor, bound: Tensor) -> Tensor:
    """Return whole numbers in [0, bound) by numbers in [0, 1)."""
    return (uniform * bound).long().minimum(bound - 1)  # a product just below the bound may be rounded up to it


def _quantised(pairs: PairBatch) -> PairBatch:
    """Images as uint8, everything else as it is."""
    photo, sketch = (x.mul(255).round_().to(torch.uint8) for x in (pairs.photo, pairs.sketch))
    return PairBatch(photo, sketch, pairs.photo_teacher, pairs.sketch_teacher, pairs.target)


def _tensors(pairs: PairBatch) -> list[Tensor]:
    outputs: tuple[TeacherOutput, TeacherOutput] = (pairs.photo_teacher, pairs.sketch_teacher)
    return [pairs.photo, pairs.sketch, pairs.target, *(t for o in outputs for t in (o.logits, o.features))]
