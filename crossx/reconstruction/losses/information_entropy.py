"""Batches should hold all classes alike."""

import torch
from torch import Tensor

from crossx.core.distributed import mean_over_processes
from crossx.core.precision import full_precision
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss


def negative_entropy(logits: Tensor) -> Tensor:
    """Negative entropy of the batch-mean posterior.

    Args:
        logits: (B, K).

    Returns:
        Scalar in [-log K, 0], natural logarithm; lowest when the classes are balanced.
    """
    mean = mean_over_processes(torch.softmax(full_precision(logits), dim=1).mean(dim=0))
    # The clamp keeps both the value and the gradient finite for a class whose probability underflows to 0.
    return (mean * mean.clamp_min(torch.finfo(mean.dtype).tiny).log()).sum()


class InformationEntropyLoss(ReconstructionLoss):
    """Class balance within a batch (information entropy loss of DAFL, arXiv 1904.01186, with natural logarithms)."""

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean of both modalities' `negative_entropy`, each over its teacher's classes, <= 0 in nats."""
        teachers = reconstruction.teachers.values()
        return torch.stack([negative_entropy(teacher.logits) for teacher in teachers]).mean()
