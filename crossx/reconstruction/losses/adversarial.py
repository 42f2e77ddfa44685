"""Pairs should be hard for the encoders, as long as the teachers still understand them."""

from torch import Tensor

from crossx.objective import full_precision
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss


def adversarial(disagreement: Tensor, agree: Tensor) -> Tensor:
    """Negative mean disagreement of the pairs that count.

    Args:
        disagreement: (B,) in [0, 1].
        agree: Which pairs count, (B,) bool.

    Returns:
        Scalar in [-1, 0]; 0 when no pair counts.
    """
    return -(full_precision(disagreement) * agree).sum() / agree.sum().clamp_min(1)


class AdversarialLoss(ReconstructionLoss):
    """Disagreement between encoders and teachers, bounded and masked.

    CrossX-DFL (arXiv 2303.07775) maximises an unbounded cross-entropy, which drives generators off the data. Here the
    critic's disagreement is bounded, and as in CMI (arXiv 2105.08584) only pairs on which both judges agree count:
    those to which both teachers give the same class.
    """

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return `adversarial`, in [-1, 0]; 0 without a critic."""
        if reconstruction.disagreement is None:
            return reconstruction.pairs.photo.new_zeros(())
        agree = reconstruction.predicted("photo") == reconstruction.predicted("sketch")
        return adversarial(reconstruction.disagreement, agree)
