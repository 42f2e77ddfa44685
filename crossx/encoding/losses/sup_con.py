"""Supervised contrast: a sketch lies near all photos of its class, and a photo near all sketches of its class."""

import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.distributed import gather
from crossx.core.precision import full_precision
from crossx.encoding.embeddings import PairEmbeddings
from crossx.encoding.losses.base import EncodingLoss
from crossx.encoding.losses.matrices import similarity


def sup_con(query: Tensor, keys: Tensor, weight: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss with weighted positives.

    Args:
        query: Unit vectors, (B, D).
        keys: Unit vectors, (N, D).
        weight: Weight of key j as a positive of query i, (B, N) >= 0.
        temperature: Divides the cosines.

    Returns:
        Scalar >= 0 in nats, the mean over queries of - sum_j w_ij log softmax_j(q_i . k_j / T) / sum_j w_ij; a query
        without any positive contributes 0.
    """
    log_posterior = torch.log_softmax(similarity(query, keys) / temperature, dim=1)
    weight = weight / weight.sum(dim=1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
    return -(weight * log_posterior).sum(dim=1).mean()


class SupConLoss(EncodingLoss):
    """Supervised contrastive loss across modalities in both directions (arXiv 2004.11362).

    The labels are the teachers' posteriors. With soft positives, a sketch and a photo are positives with the weight
    w = <sketch posterior, photo posterior>, the probability that both show the same class, so no pairs need agree.
    Weights are relative to the sum of an image's weights. So a sketch of a class that no photo has counts like any
    other: it teaches which photos it resembles, and to count it less made retrieval no better (docs/experiments.md).

    Args:
        temperature: Divides the cosines, > 0.
        soft: Weight positives by the product of the posteriors; otherwise by 1 for the same most likely class and
            0 for another.
        sharpness: Power of the soft weights, > 0. Above 1, pairs that both teachers are sure of count for more: unsure
            teachers give every pair some weight, and the many wrong pairs then outweigh the few right pairs.

    Raises:
        InputError: When the temperature or the sharpness is not positive.
    """

    def __init__(self, temperature: float = 0.07, soft: bool = True, sharpness: float = 1.0) -> None:
        super().__init__()
        must_be_in("sharpness", sharpness, "(0, inf)")
        must_be_in("temperature", temperature, "(0, inf)")
        self.temperature = temperature
        self.soft = soft
        self.sharpness = sharpness

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean of both directions' `sup_con`, >= 0 in nats."""
        photo = gather(embeddings.photo)
        sketch = gather(embeddings.sketch)
        weight = self._weight(
            gather(embeddings.sketch_posterior.detach()),
            gather(embeddings.photo_posterior.detach()),
        )
        to_photo = sup_con(sketch, photo, weight, self.temperature)
        to_sketch = sup_con(photo, sketch, weight.T, self.temperature)
        return (to_photo + to_sketch) / 2

    def _weight(self, sketch_posterior: Tensor, photo_posterior: Tensor) -> Tensor:
        """Return the weight of photo j as a positive of sketch i, (B, B)."""
        if self.soft:
            return similarity(sketch_posterior, photo_posterior) ** self.sharpness
        same = sketch_posterior.argmax(dim=1)[:, None] == photo_posterior.argmax(dim=1)[None, :]
        return full_precision(same)
