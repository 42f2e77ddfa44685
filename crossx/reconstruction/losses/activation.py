"""Real images excite a teacher's features more than noise does."""

import torch
from torch import Tensor

from crossx.core.precision import full_precision
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss


def activation(features: Tensor) -> Tensor:
    """Negative mean of the absolute features, (B, F) to a scalar <= 0, in the unit of the features."""
    return -full_precision(features).abs().mean()


class ActivationLoss(ReconstructionLoss):
    """Large pooled features (activation loss of DAFL, arXiv 1904.01186).

    It is not bounded from below, so its weight has to stay small beside the others.
    """

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean of both modalities' `activation`, <= 0."""
        return torch.stack([activation(teacher.features) for teacher in reconstruction.teachers.values()]).mean()
