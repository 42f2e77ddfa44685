"""Pairs should be hard for the encoders, as long as the teachers still classify them alike."""

from typing import Literal, get_args

import torch
from torch import Tensor

from crossx.core.checks import must_be_one_of
from crossx.core.distributed import mean_over_processes
from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss

Form = Literal["bounded", "published"]


def adversarial(hardness: Tensor, counts: Tensor) -> Tensor:
    """Negative mean hardness of the pairs that count.

    Args:
        hardness: Hardness or class cross-entropy of each pair, (B,) >= 0.
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
    """Hardness of pairs for the encoders, bounded and masked.

    CrossX-DFL (arXiv 2303.07775) maximises an unbounded cross-entropy, which drives generators off the data. Here the
    critic's hardness is bounded, and as in CMI (arXiv 2105.08584) only pairs count on which both teachers agree:
    those to which both give the same class.

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
        must_be_one_of("form", form, get_args(Form))
        self.form = form
        self.needs_class_nll = form == "published"

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return `adversarial`, in [-1, 0] when bounded, at most 0 as published; 0 without a critic."""
        critic = reconstruction.critic
        if critic is None:
            return reconstruction.pairs.photo.new_zeros(())
        if not self.needs_class_nll:
            agree = reconstruction.predicted("photo") == reconstruction.predicted("sketch")
            return adversarial(critic.hardness, agree)
        if critic.class_nll is None:
            raise InputError("AdversarialLoss: form published needs a critic that scores classes; use LastLayerCritic")
        return adversarial(critic.class_nll, torch.ones_like(critic.class_nll, dtype=torch.bool))
