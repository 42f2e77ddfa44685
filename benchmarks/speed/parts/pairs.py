"""Latents and pairs, as the data module serves them."""

import torch
from torch.utils.data import DataLoader

from benchmarks.speed.effort import Effort
from benchmarks.speed.runs import CIFAR
from benchmarks.speed.timing import Row, in_turn
from crossx.pairs.latents import LatentDataset, collate
from crossx.pairs.pool import RingPool
from crossx.types import PairBatch, TeacherOutput

_Z, _CLASSES, _FEATURES = 256, 45, 256


def measure(effort: Effort) -> list[Row]:
    """Time batches of latents, and batches that go through the pool."""
    batch = CIFAR.batch
    loader = iter(DataLoader(LatentDataset(0, _Z, 10**9), batch, collate_fn=collate))
    latents = in_turn({"crossx": lambda: next(loader), "torch.randn": lambda: torch.randn(batch, _Z)}, effort.rounds)
    pairs = _pairs(batch)
    rows = _rows(8192)
    pool, ring = RingPool(pairs, _CLASSES, 8192 // _CLASSES), pairs.target
    replay = in_turn(
        {
            "written": lambda: pool.remember(pairs, ring),
            "drawn": lambda: pool.recall(torch.rand(2, batch)),
            "drawn, bare": lambda: _drawn(rows, torch.randint(8192, (batch,))),
        },
        effort.rounds,
    )
    return [
        Row(f"latents, B = {batch}", latents, f"{_Z} numbers each, as a function of seed and place in the stream"),
        Row(f"replay, B = {batch}", replay, "images of 32 px as uint8, beside the teachers' outputs; 8,192 pairs"),
    ]


def _pairs(count: int) -> PairBatch:
    output = TeacherOutput(torch.rand(count, _CLASSES), torch.rand(count, _FEATURES))
    photo, sketch = torch.rand(count, 3, 32, 32), torch.rand(count, 3, 32, 32)
    return PairBatch(photo, sketch, output, output, torch.arange(count) % _CLASSES)


def _rows(count: int) -> list[torch.Tensor]:
    images = [torch.zeros(count, 3, 32, 32, dtype=torch.uint8) for _ in range(2)]
    return [*images, *(torch.zeros(count, n) for n in (_CLASSES, _CLASSES, _FEATURES, _FEATURES))]


def _drawn(rows: list[torch.Tensor], chosen: torch.Tensor) -> list[torch.Tensor]:
    return [row[chosen].float().div_(255) if row.dtype == torch.uint8 else row[chosen] for row in rows]
