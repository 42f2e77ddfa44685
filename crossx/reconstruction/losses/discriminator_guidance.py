"""Photos should look like photos and sketches like sketches, to a classifier that tells them apart."""

import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss
from crossx.reconstruction.losses.one_hot import label_cross_entropy
from crossx.teachers.teacher import load_teacher
from crossx.types import MODALITIES


class DiscriminatorGuidanceLoss(ReconstructionLoss):
    """Modality guidance by a frozen photo/sketch classifier (L_modality of CrossX-DFL, arXiv 2303.07775).

    That classifier has to be trained beforehand on photos and sketches, of whatever classes (the config
    `teachers/shapes_modality.yaml` does it); `StatisticsGuidanceLoss` does without. It stays frozen and out of
    checkpoints, which name it by its hash.

    Args:
        discriminator: File of the classifier: a `.safetensors` file with its card, or a `.yaml` card that names its
            weights. Its classes are `photo` and `sketch`.

    Raises:
        InputError: When it cannot be read, or has other classes.
    """

    def __init__(self, discriminator: str) -> None:
        super().__init__()
        self.discriminator = load_teacher(discriminator, "discriminator")
        classes = self.discriminator.card.classes
        if set(classes) != set(MODALITIES):
            raise InputError(
                "discriminator: must have the classes photo and sketch, as from teachers/shapes_modality.yaml, got "
                f"{len(classes)} classes {', '.join(classes[:3])}{', ...' if len(classes) > 3 else ''} in "
                f"{discriminator!r}"
            )

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean over both modalities of the cross-entropy to the images' own one, >= 0 in nats."""
        losses = []
        for modality, images in (("photo", reconstruction.pairs.photo), ("sketch", reconstruction.pairs.sketch)):
            label = self.discriminator.card.classes.index(modality)
            logits = self.discriminator(images).logits
            losses.append(label_cross_entropy(logits, torch.full((len(images),), label, device=logits.device)))
        return torch.stack(losses).mean()
