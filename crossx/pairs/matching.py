"""Pairs that agree, out of photos and sketches that were generated independently of each other."""

from dataclasses import replace

import torch
from torch import Tensor

from crossx.core.batches import take
from crossx.teachers.vocabulary import Vocabulary
from crossx.types import PairBatch


def paired_by_class(pairs: PairBatch, vocabulary: Vocabulary) -> PairBatch:
    """Pair the photos and sketches of a batch anew, those that most likely show one class first.

    Args:
        pairs: B pairs.
        vocabulary: Classes of both teachers.

    Returns:
        The same photos in their order, each with another sketch of the batch.
    """
    photo = vocabulary.union_posterior(pairs.photo_teacher.logits, "photo")
    sketch = vocabulary.union_posterior(pairs.sketch_teacher.logits, "sketch")
    chosen = assign_greedily(photo @ sketch.T)
    of_sketch = take(pairs.sketch_teacher, chosen)
    target = vocabulary.most_likely(pairs.photo_teacher.logits, of_sketch.logits)
    return replace(pairs, sketch=pairs.sketch[chosen], sketch_teacher=of_sketch, target=target)


def assign_greedily(scores: Tensor) -> Tensor:
    """Assign a column to each row, the largest remaining score first.

    Args:
        scores: (B, B).

    Returns:
        Column of each row, (B,) int64, each column once.
    """
    left, count = scores.clone(), len(scores)
    columns = torch.empty(count, dtype=torch.int64, device=scores.device)
    for _ in range(count):
        # One-element indices: a tensor without dimensions as an index would be read by the host.
        best = left.argmax()[None]
        row, column = best // count, best % count
        columns.scatter_(0, row, column)
        left.index_fill_(0, row, -torch.inf)
        left.index_fill_(1, column, -torch.inf)
    return columns
