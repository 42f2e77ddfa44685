"""The one normalisation contract: images are [0, 1] between parts, and every network prepares its own input."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Preprocessing(nn.Module):
    """Resize and normalise images in [0, 1] as one network wants them, differentiably.

    Args:
        size: Side of the network's input in pixels.
        mean: Subtracted from each channel, three numbers.
        std: Divides each channel then, three numbers.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, size: int, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to (B, 3, size, size)."""
        return prepare(images, self.size, self.mean, self.std)


def prepare(images: Tensor, size: int, mean: Tensor, std: Tensor) -> Tensor:
    """Resize and normalise images as a network wants them, differentiably.

    Args:
        images: (B, 3, H, W) in [0, 1].
        size: Wanted side in pixels; nothing is resized where it agrees.
        mean: (3,).
        std: (3,).

    Returns:
        (B, 3, size, size).
    """
    if images.shape[-2:] != (size, size):
        # Antialias, or the thin strokes of a large sketch fall between the pixels of a small one.
        images = F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return (images - mean[:, None, None]) / std[:, None, None]
