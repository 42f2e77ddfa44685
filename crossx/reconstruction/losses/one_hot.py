"""One-hot loss: each image should get one sure class from its teacher."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.checks import must_be_one_of
from crossx.core.precision import full_precision
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss
from crossx.types import Modality

Labels = Literal["predicted", "agreed"]


def label_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of logits to a label.

    Args:
        logits: (B, K).
        label: (B,) int64, -1 for an image that has none.

    Returns:
        Scalar >= 0 in nats: the mean over all B images, of which those without a label contribute 0. (Not the mean
        over the labelled ones: then an image's gradient would depend on how many others happen to have a label.)
    """
    return F.cross_entropy(full_precision(logits), label, ignore_index=-1, reduction="sum") / len(label)


class OneHotLoss(ReconstructionLoss):
    """Cross-entropy of each teacher to one class (one-hot loss of DAFL, arXiv 1904.01186).

    Args:
        labels: Which class. `predicted`: the teacher's own most likely one, as in DAFL. `agreed`: the one class that
            both teachers together find most likely (`Vocabulary.most_likely`), which also pulls a pair together.
            A class that a teacher does not know adds nothing to that teacher's loss.

    Raises:
        InputError: When labels is neither.
    """

    def __init__(self, labels: Labels = "predicted") -> None:
        super().__init__()
        must_be_one_of("labels", labels, get_args(Labels))
        self.labels = labels
        self.wants_agreement = labels == "agreed"

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean of both modalities' `label_cross_entropy`, >= 0 in nats."""
        losses = [
            label_cross_entropy(teacher.logits, self._label(reconstruction, modality))
            for modality, teacher in reconstruction.teachers.items()
        ]
        return torch.stack(losses).mean()

    def _label(self, reconstruction: Reconstruction, modality: Modality) -> Tensor:
        """Label of each image in the classes of its own teacher, (B,) int64; -1 for a class that it does not know."""
        if self.labels == "predicted":
            return reconstruction.teachers[modality].logits.argmax(dim=1)
        return reconstruction.vocabulary.teacher_target(reconstruction.agreed, modality)
