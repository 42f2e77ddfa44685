"""The photo of a pair should show the class of its sketch, as the published code has it."""

import torch
from torch import Tensor

from crossx.core.precision import full_precision
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss


def one_sided_divergence(photo_logits: Tensor, sketch_logits: Tensor) -> Tensor:
    """KL(sketch || photo) of the softmax distributions, row by row: the sum over classes of s log(s / p).

    Args:
        photo_logits: (B, S).
        sketch_logits: (B, S), the same classes in the same order.

    Returns:
        (B,) >= 0, natural logarithm; with gradient to the photos alone.
    """
    photo = torch.log_softmax(full_precision(photo_logits), dim=1)
    sketch = torch.log_softmax(full_precision(sketch_logits.detach()), dim=1)
    return (sketch.exp() * (sketch - photo)).sum(dim=1)


class OneSidedAlignmentLoss(ReconstructionLoss):
    """Divergence of the photo teacher's posterior from the sketch teacher's (L_align in CrossX-DFL's code, 2303.07775).

    It moves the photo generator alone, and has no bound: where both teachers are sure of different classes it pulls
    hardest, where `ClassAlignmentLoss` hardly pulls. Posteriors are renormalised over the shared classes.
    """

    wants_agreement = True

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean over pairs of `one_sided_divergence`, in nats."""
        photo, sketch = (
            reconstruction.vocabulary.shared_logits(teacher.logits, modality)
            for modality, teacher in reconstruction.teachers.items()
        )
        return one_sided_divergence(photo, sketch).mean()
