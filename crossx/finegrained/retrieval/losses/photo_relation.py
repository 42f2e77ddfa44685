"""Distillation of relations between unlabelled photos, which needs no sketches of them."""

import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.encoding.losses.divergence import divergence
from crossx.finegrained.retrieval.embeddings import InstanceEmbeddings
from crossx.finegrained.retrieval.losses.base import InstanceLoss, distances, other_instances


class PhotoRelation(InstanceLoss):
    """Photo-photo distances of a frozen teacher, kept by the student (arXiv 2303.13779).

    KL(softmax_j(-d_T(p_i, p_j) / T) || softmax_j(-d_F(p_i, p_j) / T)) over the unlabelled photos j of other instances,
    the mean over i. The teacher is an encoder that was trained by `PhotoContrast`, or a classifier's features.

    Args:
        temperature: T, divides the distances, > 0.

    Raises:
        InputError: When the temperature is not positive; from `forward` when a batch has fewer than two unlabelled
            photos of different instances.
    """

    needs_teacher = True
    needs_free = True

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        must_be_in("temperature", temperature, "(0, inf)")
        self.temperature = temperature

    def forward(self, embeddings: InstanceEmbeddings) -> Tensor:
        """Return the mean divergence over unlabelled photos, >= 0 in nats."""
        free = embeddings.gathered().free
        if free is None or free.teacher is None:
            raise InputError("PhotoRelation: needs unlabelled photos and a frozen teacher; name model.teacher")
        others = other_instances(free.instance)
        if not others.any(1).all():
            raise InputError(
                f"PhotoRelation: needs at least 2 unlabelled photos of different instances a batch, got {len(others)}"
            )
        student, teacher = (
            (-distances(x, x) / self.temperature).masked_fill(~others, -torch.inf) for x in (free.photo, free.teacher)
        )
        return divergence(teacher.softmax(1), student)
