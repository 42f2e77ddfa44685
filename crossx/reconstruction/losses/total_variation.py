"""Neighbouring pixels should differ little."""

from collections.abc import Sequence

import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss
from crossx.types import MODALITIES, Modality


def total_variation(images: Tensor) -> Tensor:
    """Anisotropic total variation: mean absolute difference to the pixel below plus that to the pixel on the right.

    Args:
        images: (B, C, H, W) in [0, 1], H and W at least 2.

    Returns:
        Scalar in [0, 2]; 0 for images of one colour, whatever the resolution 2 for a chessboard of single pixels.
    """
    images = full_precision(images)
    return images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean()


class TotalVariationLoss(ReconstructionLoss):
    """Smoothness of the generated images (image prior of DeepInversion, arXiv 1912.08795, in its L1 form).

    Its minimum is an empty image, so its weight has to stay small beside the others.

    Args:
        modalities: Whose images are meant: `photo`, `sketch`, or both. Sketches are strokes with sharp edges, and may
            want to be left alone.

    Raises:
        InputError: When modalities is empty, names one twice, or names something else.
    """

    def __init__(self, modalities: Sequence[Modality] = MODALITIES) -> None:
        super().__init__()
        if not modalities or len(set(modalities)) < len(modalities) or not set(modalities) <= set(MODALITIES):
            raise InputError(f"modalities: {modalities!r} is not legal; [photo], [sketch], or [photo, sketch]")
        self.modalities = tuple(modalities)

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean of the modalities' `total_variation`, in [0, 2]."""
        images = {"photo": reconstruction.pairs.photo, "sketch": reconstruction.pairs.sketch}
        return torch.stack([total_variation(images[modality]) for modality in self.modalities]).mean()
