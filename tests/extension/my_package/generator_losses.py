"""Losses of the generators, in a package outside crossx."""

from collections.abc import Sequence

import torch
from torch import Tensor

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.reconstruction.losses import Reconstruction, ReconstructionLoss
from crossx.teachers.pair import TeacherPair


class InkLoss(ReconstructionLoss):
    """Squared difference between the share of ink in the sketches and a wanted share.

    Args:
        share: Wanted share of ink, in [0, 1].
    """

    def __init__(self, share: float = 0.1) -> None:
        super().__init__()
        must_be_in("share", share, "[0, 1]")
        self.share = share

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the squared difference, in [0, 1]."""
        ink = 1 - reconstruction.pairs.sketch.mean()  # sketches are black (0) on white (1)
        return (ink - self.share).square()


class AvoidClassesLoss(ReconstructionLoss):
    """Negative log-probability that an image shows none of some classes.

    Args:
        teachers: Both teachers; filled in by the module.
        classes: Names of the classes that the generators must not make.
    """

    def __init__(self, teachers: TeacherPair, classes: Sequence[str]) -> None:
        super().__init__()
        union = teachers.vocabulary.union
        for name in classes:
            must_be_one_of("classes", name, union)
        self.register_buffer("avoided", torch.tensor([name in classes for name in union]), persistent=False)

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean over both modalities, >= 0 in nats."""
        losses = []
        for modality, output in reconstruction.teachers.items():
            posterior = reconstruction.vocabulary.union_posterior(output.logits, modality)  # (B, U)
            losses.append(-(posterior * ~self.get_buffer("avoided")).sum(1).clamp_min(1e-6).log().mean())
        return torch.stack(losses).mean()
