"""Preprocessing of images, which are in [0, 1] everywhere outside of networks."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Preprocessing(nn.Module):
    """Differentiable resizing and normalisation for one network.

    Args:
        size: Side of the network's input in pixels.
        mean: Three numbers that are subtracted from the channels.
        std: Three numbers that the channels are divided by afterwards.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, size: int, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Resize and normalise images, (B, 3, H, W) in [0, 1], to (B, 3, size, size)."""
        return prepare(images, self.size, self.mean, self.std)


def prepare(images: Tensor, size: int, mean: Tensor, std: Tensor) -> Tensor:
    """Resize and normalise images, differentiably.

    Args:
        images: (B, 3, H, W) in [0, 1].
        size: Side of the result in pixels; images of this size are not resized.
        mean: Subtracted from the channels, (3,).
        std: Divides the channels afterwards, (3,).

    Returns:
        (B, 3, size, size).
    """
    if images.shape[-2:] != (size, size):
        # Without antialiasing, thin strokes of a large sketch would vanish between the pixels of a small one.
        images = F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return (images - mean[:, None, None]) / std[:, None, None]
