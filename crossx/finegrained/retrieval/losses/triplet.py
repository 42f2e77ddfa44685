"""Triplet loss over instances, as published for fine-grained retrieval."""

from typing import Literal, get_args

import torch
from torch import Tensor

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.finegrained.retrieval.embeddings import InstanceEmbeddings
from crossx.finegrained.retrieval.losses.base import InstanceLoss, distances, mean_with_weight, other_instances

Negatives = Literal["random", "hardest", "all"]
"""Photos that a sketch is kept away from: one at random, the nearest one, or the mean over all."""


class InstanceTriplet(InstanceLoss):
    """Triplet loss of sketches (Sketch Me That Shoe, CVPR 2016), weighted by certainty (arXiv 2103.13990).

    The mean over pairs of w_i * max(0, margin + d(s_i, p_i) - d(s_i, p_n)), with d the Euclidean distance of unit
    vectors, n a pair of another instance, and w_i the pair's certainty. A sketch without a photo of another instance
    in its batch adds 0.

    Args:
        margin: Difference of distances from which on a triplet costs nothing, in (0, 2].
        negatives: Which photos of other instances count.

    Raises:
        InputError: When the margin is out of range, or `negatives` is unknown.
    """

    def __init__(self, margin: float = 0.2, negatives: Negatives = "random") -> None:
        super().__init__()
        must_be_in("margin", margin, "(0, 2]")
        must_be_one_of("negatives", negatives, get_args(Negatives))
        self.margin = margin
        self.negatives = negatives

    def forward(self, embeddings: InstanceEmbeddings) -> Tensor:
        """Return the weighted mean over pairs, in [0, 2 + margin]."""
        x = embeddings.gathered()
        d = distances(x.sketch, x.photo)
        legal = other_instances(x.instance)
        cost = (self.margin + d.diagonal()[:, None] - d).clamp_min(0)
        return mean_with_weight((cost * self._chosen(d, legal)).sum(1), x.certainty)

    def _chosen(self, d: Tensor, legal: Tensor) -> Tensor:
        """Weight of each negative of each sketch, (B, B); rows sum to 1, or to 0 without a legal negative."""
        if self.negatives == "all":
            return legal.to(d.dtype) / legal.sum(1, keepdim=True).clamp_min(1)
        order = torch.rand(d.shape, device=d.device) if self.negatives == "random" else d.detach()
        first = order.masked_fill(~legal, torch.inf).argmin(1, keepdim=True)
        return torch.zeros_like(d).scatter_(1, first, 1.0) * legal
