"""Pairs should be hard for the encoders, as long as the teachers still understand them."""

from typing import Literal, get_args

import torch
from torch import Tensor

from crossx.core.distributed import mean_over_processes
from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss

Form = Literal["bounded", "published"]


def adversarial(hardness: Tensor, counts: Tensor) -> Tensor:
    """Negative mean hardness of the pairs that count.

    Args:
        hardness: Disagreement or surprise, (B,) >= 0.
        counts: Which pairs count, (B,) bool.

    Returns:
        Scalar between minus the largest hardness and 0; 0 when no pair counts.
    """
    weighed = full_precision(hardness) * counts
    total, count = mean_over_processes(torch.stack([weighed.sum(), counts.sum().to(weighed.dtype)]))
    # Not a tiny number in the place of 0: the gradient of the quotient, times a weight of 5, would overflow.
    loss: Tensor = -total / torch.where(count > 0, count, 1)
    return loss


class AdversarialLoss(ReconstructionLoss):
    """Disagreement between encoders and teachers, bounded and masked.

    CrossX-DFL (arXiv 2303.07775) maximises an unbounded cross-entropy, which drives generators off the data. Here the
    critic's disagreement is bounded, and as in CMI (arXiv 2105.08584) only pairs on which both judges agree count:
    those to which both teachers give the same class.

    Args:
        form: `bounded`: as above. `published`: the cross-entropy of the encoders' class scores to the teachers' most
            likely classes, of all pairs, without bound; for comparisons. It needs a critic that scores classes
            (`LastLayerCritic`).

    Raises:
        InputError: When the form is neither.
    """

    needs_critic = True

    def __init__(self, form: Form = "bounded") -> None:
        super().__init__()
        if form not in get_args(Form):
            raise InputError(f"form: {form!r} is none of {', '.join(get_args(Form))}")
        self.form = form
        self.needs_surprise = form == "published"

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return `adversarial`, in [-1, 0] when bounded, at most 0 as published; 0 without a critic."""
        hardness = reconstruction.surprise if self.needs_surprise else reconstruction.disagreement
        if hardness is None:
            return reconstruction.pairs.photo.new_zeros(())
        if self.needs_surprise:
            return adversarial(hardness, torch.ones_like(hardness, dtype=torch.bool))
        agree = reconstruction.predicted("photo") == reconstruction.predicted("sketch")
        return adversarial(hardness, agree)
