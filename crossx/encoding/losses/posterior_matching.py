"""Posterior matching: the cosine of a sketch and a photo approaches the probability of a common class."""

import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.distributed import gather
from crossx.core.precision import full_precision
from crossx.encoding.embeddings import PairEmbeddings
from crossx.encoding.losses.base import EncodingLoss
from crossx.encoding.losses.matrices import similarity


def posterior_matching(query: Tensor, keys: Tensor, match: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of the encoders' ranking of the keys to the teachers', for each query.

    Args:
        query: Unit vectors, (B, D).
        keys: Unit vectors, (N, D).
        match: Probability that query i and key j show the same class, (B, N) in [0, 1].
        temperature: Divides match and cosine before the softmax over the keys, > 0.

    Returns:
        Scalar >= 0 in nats, the mean over queries of - sum_j softmax_j(match_ij / T) log softmax_j(q_i . k_j / T),
        with its minimum where each cosine is the match up to a constant of the query: the same ranking.
    """
    teacher = torch.softmax(full_precision(match) / temperature, dim=1)
    student = torch.log_softmax(similarity(query, keys) / temperature, dim=1)
    return -(teacher * student).sum(dim=1).mean()


class PosteriorMatchingLoss(EncodingLoss):
    """Posterior matching as an embedding: relational distillation (arXiv 1904.05068) across the two teachers.

    By the teachers, a sketch and a photo show the same class with probability sum_c P(c | sketch) P(c | photo). The
    encoders' cosines learn to rank the photos of a batch for each sketch by this probability, and the sketches for each
    photo. Unlike a contrast of positives with negatives, the loss also ranks photos whose class is uncertain.

    Args:
        temperature: Divides match and cosine, > 0.

    Raises:
        InputError: When the temperature is not positive.
    """

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        must_be_in("temperature", temperature, "(0, inf)")
        self.temperature = temperature

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean of both directions' `posterior_matching`, >= 0 in nats."""
        photo, sketch = gather(embeddings.photo), gather(embeddings.sketch)
        of_photo = gather(embeddings.photo_posterior.detach())
        of_sketch = gather(embeddings.sketch_posterior.detach())
        match = similarity(of_sketch, of_photo)
        to_photo = posterior_matching(sketch, photo, match, self.temperature)
        to_sketch = posterior_matching(photo, sketch, match.T, self.temperature)
        return (to_photo + to_sketch) / 2
