"""Pairs should be hard for the encoders, as long as the teachers still understand them."""

import torch
from torch import Tensor

from crossx.distributed import mean_over_processes
from crossx.objective import full_precision
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss
from crossx.types import Reduce


def adversarial(disagreement: Tensor, agree: Tensor, reduce: Reduce = "local") -> Tensor:
    """Negative mean disagreement of the pairs that count.

    Args:
        disagreement: (B,) in [0, 1].
        agree: Which pairs count, (B,) bool.
        reduce: Whether the mean is that of this process's pairs or of all processes' pairs.

    Returns:
        Scalar in [-1, 0]; 0 when no pair counts.
    """
    weighed = full_precision(disagreement) * agree
    total, count = mean_over_processes(torch.stack([weighed.sum(), agree.sum().to(weighed.dtype)]), reduce)
    # Not a tiny number in the place of 0: the gradient of the quotient, times a weight of 5, would overflow.
    loss: Tensor = -total / torch.where(count > 0, count, 1)
    return loss


class AdversarialLoss(ReconstructionLoss):
    """Disagreement between encoders and teachers, bounded and masked.

    CrossX-DFL (arXiv 2303.07775) maximises an unbounded cross-entropy, which drives generators off the data. Here the
    critic's disagreement is bounded, and as in CMI (arXiv 2105.08584) only pairs on which both judges agree count:
    those to which both teachers give the same class.

    Args:
        reduce: `global` takes the mean over the pairs of all processes together that count.
    """

    needs_critic = True

    def __init__(self, reduce: Reduce = "global") -> None:
        super().__init__()
        self.reduce: Reduce = reduce

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return `adversarial`, in [-1, 0]; 0 without a critic."""
        if reconstruction.disagreement is None:
            return reconstruction.pairs.photo.new_zeros(())
        agree = reconstruction.predicted("photo") == reconstruction.predicted("sketch")
        return adversarial(reconstruction.disagreement, agree, self.reduce)
