"""The two images of a pair should show the same class."""

import math

import torch
from torch import Tensor

from crossx.core.precision import full_precision
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss


def jensen_shannon(photo_logits: Tensor, sketch_logits: Tensor) -> Tensor:
    """Jensen-Shannon divergence of two softmax distributions, row by row.

    Args:
        photo_logits: (B, S).
        sketch_logits: (B, S), the same classes in the same order.

    Returns:
        (B,) in [0, log 2], natural logarithm; symmetric, with gradient to both sides.
    """
    photo = torch.log_softmax(full_precision(photo_logits), dim=1)
    sketch = torch.log_softmax(full_precision(sketch_logits), dim=1)
    middle = torch.logaddexp(photo, sketch) - math.log(2)
    divergences = [(log_p.exp() * (log_p - middle)).sum(dim=1) for log_p in (photo, sketch)]
    return torch.stack(divergences).mean(dim=0)


class ClassAlignmentLoss(ReconstructionLoss):
    """Divergence between the two teachers' posteriors of a pair (L_align of CrossX-DFL, arXiv 2303.07775).

    The paper's code has a one-sided KL with the sketch held fixed, `OneSidedAlignmentLoss`; this is the symmetric,
    bounded form, so that both generators move. It compares the posteriors renormalised over the shared classes: a
    class of one teacher alone cannot count against the other.
    """

    wants_agreement = True

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean over pairs of `jensen_shannon`, in [0, log 2] nats."""
        photo, sketch = (
            reconstruction.vocabulary.shared_logits(teacher.logits, modality)
            for modality, teacher in reconstruction.teachers.items()
        )
        return jensen_shannon(photo, sketch).mean()
