"""InfoNCE: a sketch finds its own photo among many, and a photo its own sketch."""

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.distributed import gather
from crossx.encoding.embeddings import PairEmbeddings
from crossx.encoding.losses.base import EncodingLoss
from crossx.encoding.losses.matrices import similarity
from crossx.encoding.queue import KeyQueue


def info_nce(query: Tensor, keys: Tensor, query_class: Tensor, key_class: Tensor, temperature: float) -> Tensor:
    """InfoNCE without false negatives: keys of the query's own class do not count as negatives.

    Args:
        query: Unit vectors, (B, D).
        keys: Unit vectors, (B + N, D): key i is the positive of query i, the last N are negatives for all.
        query_class: (B,) int64.
        key_class: (B + N,) int64.
        temperature: Divides the cosines.

    Returns:
        Scalar >= 0 in nats, the mean over queries.
    """
    own = torch.arange(len(query), device=query.device)
    logits = similarity(query, keys) / temperature
    false_negative = query_class[:, None] == key_class[None, :]
    false_negative[own, own] = False
    return F.cross_entropy(logits.masked_fill(false_negative, -torch.inf), own)


class InfoNCELoss(EncodingLoss):
    """Queue-based InfoNCE across modalities in both directions (MoCo, arXiv 1911.05722).

    The negatives of a sketch are the other photos of its batch and the queued photos of earlier batches, except photos
    that the photo teacher gives the sketch's own class; likewise for a photo. There is no momentum encoder: queued
    keys are as old as the queue is long, so keep the queue to a few dozen batches.

    In training mode each call feeds the queues, which a resume empties (`KeyQueue`).

    Args:
        temperature: Divides the cosines, > 0.
        queue_size: Keys to keep of each modality; 0 for in-batch negatives alone.

    Raises:
        InputError: When the temperature is not positive or queue_size is negative.
    """

    wants_agreement = True

    def __init__(self, temperature: float = 0.07, queue_size: int = 4096) -> None:
        super().__init__()
        must_be_in("temperature", temperature, "(0, inf)")
        self.temperature = temperature
        self.photo_queue = KeyQueue(queue_size)
        self.sketch_queue = KeyQueue(queue_size)

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean of both directions' `info_nce`, >= 0 in nats."""
        photo = gather(embeddings.photo)
        sketch = gather(embeddings.sketch)
        photo_class = gather(embeddings.photo_class)
        sketch_class = gather(embeddings.sketch_class)
        photo_keys, photo_key_class = self.photo_queue.behind(photo, photo_class)
        sketch_keys, sketch_key_class = self.sketch_queue.behind(sketch, sketch_class)
        to_photo = info_nce(sketch, photo_keys, sketch_class, photo_key_class, self.temperature)
        to_sketch = info_nce(photo, sketch_keys, photo_class, sketch_key_class, self.temperature)
        if self.training:
            self.photo_queue.push(photo, photo_class)
            self.sketch_queue.push(sketch, sketch_class)
        return (to_photo + to_sketch) / 2
