"""Divergence of a student's distributions from its teacher's."""

import torch
from torch import Tensor

from crossx.core.precision import full_precision


def divergence(teacher: Tensor, student_logits: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the student from the teacher, the mean over rows.

    Args:
        teacher: Distributions, (B, N), rows sum to 1.
        student_logits: (B, N); -inf only where the teacher has 0.

    Returns:
        Scalar >= 0 in nats.
    """
    teacher = full_precision(teacher)
    # Where the teacher has 0 there is nothing to add, and 0 times -inf is not 0.
    student = torch.log_softmax(full_precision(student_logits), dim=1).masked_fill(teacher == 0, 0)
    return (torch.xlogy(teacher, teacher) - teacher * student).sum(dim=1).mean()
