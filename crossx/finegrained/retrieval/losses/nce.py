"""InfoNCE over instances: a sketch finds the very photo that it was drawn from, and the photo its sketch."""

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.encoding.losses.matrices import similarity
from crossx.finegrained.retrieval.embeddings import InstanceEmbeddings
from crossx.finegrained.retrieval.losses.base import InstanceLoss, mean_with_weight, other_instances


class InstanceNCE(InstanceLoss):
    """InfoNCE in both directions (arXiv 1807.03748) with certainty-weighted rows.

    Row i is -log of exp(s_i.p_i / T) / sum over j of exp(s_i.p_j / T), where j runs over i and all pairs of other
    instances; its weight is the certainty of pair i. It needs no mining.

    Args:
        temperature: T, divides the cosines, > 0.

    Raises:
        InputError: When the temperature is not positive.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        must_be_in("temperature", temperature, "(0, inf)")
        self.temperature = temperature

    def forward(self, embeddings: InstanceEmbeddings) -> Tensor:
        """Return the mean of both directions, >= 0 in nats."""
        x = embeddings.gathered()
        return both_directions(x.sketch, x.photo, x.instance, x.certainty, self.temperature)


def both_directions(a: Tensor, b: Tensor, instance: Tensor, weight: Tensor, temperature: float) -> Tensor:
    """InfoNCE of a against b and of b against a, the mean of both.

    Args:
        a: Unit vectors, (B, D); row i belongs to row i of b.
        b: Unit vectors, (B, D).
        instance: (B,) int64; rows of one instance are no negatives of each other.
        weight: Weight of each row, (B,).
        temperature: Divides the cosines.

    Returns:
        Scalar >= 0 in nats.
    """
    own = torch.arange(len(a), device=a.device)
    false_negative = ~other_instances(instance)
    false_negative[own, own] = False
    logits = (similarity(a, b) / temperature).masked_fill(false_negative, -torch.inf)
    rows = F.cross_entropy(logits, own, reduction="none") + F.cross_entropy(logits.T, own, reduction="none")
    return mean_with_weight(rows, weight) / 2
