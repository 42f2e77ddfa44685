"""Multi-view information bottleneck: an embedding keeps what a photo and a sketch of one object have in common."""

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.distributed import gather
from crossx.core.precision import full_precision
from crossx.encoding.embeddings import EmbeddingSpace, PairEmbeddings
from crossx.encoding.losses.base import EncodingLoss
from crossx.encoding.losses.matrices import similarity, weighted_mean

Estimate = Literal["info_nce", "jensen_shannon"]
"""Lower bound of the mutual information: InfoNCE (arXiv 1807.03748), or Jensen-Shannon (arXiv 1808.06670)."""

_LEAST_DEVIATION = 1e-3  # keeps the divergence finite; embeddings have a length of 1


def symmetric_divergence(mean: Tensor, deviation: Tensor, other_mean: Tensor, other_deviation: Tensor) -> Tensor:
    """Mean of both Kullback-Leibler divergences of two diagonal normal distributions, row by row.

    Args:
        mean: (B, D).
        deviation: Standard deviations, (B, D), > 0.
        other_mean: (B, D).
        other_deviation: (B, D), > 0.

    Returns:
        (B,) >= 0, in nats.
    """
    square, variance, other_variance = (mean - other_mean) ** 2, deviation**2, other_deviation**2
    divergences = (variance + square) / other_variance + (other_variance + square) / variance - 2
    return divergences.sum(dim=1) / 4


def information_loss(scores: Tensor, negative: Tensor, weight: Tensor, estimate: Estimate) -> Tensor:
    """Gap between the largest value of a mutual-information estimate and its value, in both directions.

    Args:
        scores: Score of every sketch (rows) with every photo (columns), (B, B); pairs are on the diagonal.
        negative: Which sketches and photos are of different classes, (B, B) bool; the diagonal is not read.
        weight: Weight of each pair, (B,) >= 0.
        estimate: The lower bound of the mutual information.

    Returns:
        Scalar >= 0 in nats.
    """
    own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    if estimate == "info_nce":
        kept = scores.masked_fill(~(negative | own), -torch.inf)
        index = torch.arange(len(scores), device=scores.device)
        per_pair = (F.cross_entropy(m, index, reduction="none") for m in (kept, kept.T))
        return torch.stack([weighted_mean(values, weight) for values in per_pair]).mean()
    others = (negative & ~own).to(scores.dtype)
    return weighted_mean(F.softplus(-scores.diagonal()), weight) + weighted_mean(F.softplus(scores), others)


def _linear(head: nn.Linear, vectors: Tensor) -> Tensor:
    """Apply a head in full precision, also where the trainer keeps its weights in half precision."""
    return F.linear(vectors, full_precision(head.weight), full_precision(head.bias))


class MIBLoss(EncodingLoss):
    """Multi-view information bottleneck (arXiv 2002.07017): photo and sketch are two views of one object.

    The loss is the `information_loss` of the two views' representations, plus beta times the symmetrised KL divergence
    between their distributions, which removes what is in one view alone.

    The form for unit embeddings is ours. The paper's encoders output a normal distribution; here one linear head on the
    embedding gives the mean and another the standard deviations, a sample is drawn in training (otherwise the mean is
    taken), and the score is the cosine of two samples over a temperature, where the paper trains a network. Photos and
    sketches share the heads, and the mean starts as the embedding itself: separate heads could make up for embeddings
    that lie apart, and retrieval compares the embeddings.

    The weight of a pair is the probability that both images show the same class, <sketch posterior, photo posterior>;
    images with the same most likely class are no negatives.

    Each process draws the noise of its own pairs, so two processes give the gradients of one with the double batch
    in distribution, not number by number.

    Args:
        space: The encoders' space.
        beta: Weight of the divergence, >= 0; the paper raises it from 1e-4 to 1e-3 and beyond.
        estimate: Lower bound of the mutual information.
        temperature: Divides the cosines, > 0.

    Raises:
        InputError: When a number is out of range, or the estimate is unknown.
    """

    wants_agreement = True

    def __init__(
        self,
        space: EmbeddingSpace,
        beta: float = 1e-3,
        estimate: Estimate = "info_nce",
        temperature: float = 0.1,
    ) -> None:
        super().__init__()
        must_be_in("beta", beta, "[0, inf)")
        must_be_one_of("estimate", estimate, get_args(Estimate))
        must_be_in("temperature", temperature, "(0, inf)")
        self.beta = beta
        self.estimate = estimate
        self.temperature = temperature
        dim = space.dim
        self.mean, self.deviation = nn.Linear(dim, dim), nn.Linear(dim, dim)
        with torch.no_grad():  # the embedding itself as the mean, and noise of half its length
            self.mean.weight.copy_(torch.eye(dim))
            self.mean.bias.zero_()
            self.deviation.weight.zero_()
            self.deviation.bias.fill_(math.log(math.expm1(0.5 / math.sqrt(dim))))

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return `information_loss` plus beta times the mean divergence of the pairs, >= 0 in nats."""
        photo_posterior = gather(full_precision(embeddings.photo_posterior.detach()))
        sketch_posterior = gather(full_precision(embeddings.sketch_posterior.detach()))
        weight = (sketch_posterior * photo_posterior).sum(dim=1)
        negative = sketch_posterior.argmax(dim=1)[:, None] != photo_posterior.argmax(dim=1)[None, :]
        # Heads run on a process's own pairs, so that all processes compare the same noisy samples.
        sketch_mean, sketch_deviation, sketch = self._view(embeddings.sketch)
        photo_mean, photo_deviation, photo = self._view(embeddings.photo)
        scores = similarity(F.normalize(sketch, dim=1), F.normalize(photo, dim=1)) / self.temperature
        information = information_loss(scores, negative, weight, self.estimate)
        divergence = symmetric_divergence(sketch_mean, sketch_deviation, photo_mean, photo_deviation)
        return information + self.beta * weighted_mean(divergence, weight)

    def _view(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, deviation and sample of the images of all processes, (B, D) each."""
        with torch.autocast(vectors.device.type, enabled=False):
            vectors = full_precision(vectors)
            mean = _linear(self.mean, vectors)
            deviation = F.softplus(_linear(self.deviation, vectors)) + _LEAST_DEVIATION
            sample = mean + deviation * torch.randn_like(mean) if self.training else mean
        return gather(mean), gather(deviation), gather(sample)
