"""Keys of earlier batches, as negatives for contrastive losses."""

import torch
from torch import Tensor

from crossx.core.checks import must_be_in


class KeyQueue:
    """Queue of the newest keys, first in first out (MoCo, arXiv 1911.05722); of any size.

    A queue starts empty, never with random vectors. It is a plain object and not a module with buffers, because DDP
    would overwrite buffers with those of the first process. So it is not in the checkpoint either: **after a resume
    the queue is empty and fills again with the next batches.**

    The tensors are replaced, never written into, so a loss that waits for its backward keeps the keys that it used.

    Args:
        size: Number of keys to keep; 0 keeps none.

    Attributes:
        keys: (N, D) with N <= size, newest first; None before the first push.
        classes: Class of each key, (N,) int64; None before the first push.

    Raises:
        InputError: When size is negative.
    """

    def __init__(self, size: int) -> None:
        must_be_in("queue_size", size, "[0, inf)")
        self.size = size
        self.keys: Tensor | None = None
        self.classes: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self.keys is None else len(self.keys)

    def behind(self, keys: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Return a batch's keys, (B, D), and classes, (B,), followed by the queued ones: (B + N, D) and (B + N,)."""
        # Without keys there is nothing to join: a queue of size 0 leaves the graph as it is before the first push, and
        # gradients are summed in the same order by a resumed run.
        if self.keys is None or self.classes is None or len(self) == 0:
            return keys, classes
        return torch.cat([keys, self.keys]), torch.cat([classes, self.classes])

    def push(self, keys: Tensor, classes: Tensor) -> None:
        """Add the keys of a batch, (B, D), with their classes, (B,), without gradient; the oldest ones leave."""
        # Newest first, and within a batch the last row is the newest.
        keys, classes = self.behind(keys.detach().flip(0), classes.detach().flip(0))
        self.keys, self.classes = keys[: self.size], classes[: self.size]
