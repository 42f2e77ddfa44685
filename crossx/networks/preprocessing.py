"""Preprocessing of images, which are in [0, 1] everywhere outside of networks."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Interpolation = Literal["bilinear", "bicubic"]
Size = int | tuple[int, int]
"""Side of a square, or height and width, in pixels."""


class InputFormat(NamedTuple):
    """What a network expects of its input.

    Attributes:
        size: Side of the square input in pixels, or height and width.
        mean: Three numbers that are subtracted from the channels of an image in [0, 1]; one number for a network that
            takes one grey channel.
        std: As many positive numbers, which the channels are divided by afterwards.
        interpolation: How images are resized.
        crop: Share of each side that is kept, in (0, 1]: images are resized to `size / crop`, and their centre is cut.
    """

    size: Size
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: Interpolation = "bilinear"
    crop: float = 1.0


class Preprocessing(nn.Module):
    """Differentiable resizing and normalisation for one network; the arguments are those of `InputFormat`.

    Args:
        size: Side of the network's input in pixels, or height and width.
        mean: Three numbers that are subtracted from the channels, or one for a network that takes one grey channel.
        std: As many numbers, which the channels are divided by afterwards.
        interpolation: How images are resized.
        crop: Share of each side that is kept, in (0, 1].
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        size: Size,
        mean: Sequence[float],
        std: Sequence[float],
        interpolation: Interpolation = "bilinear",
        crop: float = 1.0,
    ) -> None:
        super().__init__()
        self.size = size
        self.interpolation: Interpolation = interpolation
        self.crop = crop
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Resize and normalise images, (B, 3, H, W) in [0, 1], to (B, 3 or 1, *size)."""
        return prepare(images, self.size, self.mean, self.std, self.interpolation, self.crop)


def prepare(
    images: Tensor,
    size: Size,
    mean: Tensor,
    std: Tensor,
    interpolation: Interpolation = "bilinear",
    crop: float = 1.0,
) -> Tensor:
    """Resize and normalise images, differentiably.

    Args:
        images: (B, 3, H, W) in [0, 1].
        size: Side of the result in pixels, or height and width; images of this size are not resized.
        mean: Subtracted from the channels, (3,); (1,) for the mean of the three channels as one grey channel.
        std: Divides the channels afterwards, (3,) or (1,).
        interpolation: How images are resized. Bicubic values outside of [0, 1] are cut off, as those of 8-bit images.
        crop: Share of each side that is kept, in (0, 1].

    Returns:
        (B, 3, *size), or (B, 1, *size) for one grey channel.
    """
    if len(mean) == 1:
        images = images.mean(1, keepdim=True)
    height, width = sides(size)
    whole = (math.floor(height / crop), math.floor(width / crop))  # rounded down, as timm and torchvision do
    if images.shape[-2:] != whole:
        # Without antialiasing, thin strokes of a large sketch would vanish between the pixels of a small one.
        images = F.interpolate(images, whole, mode=interpolation, antialias=True, align_corners=False)
        if interpolation == "bicubic":
            images = images.clamp(0, 1)
    if whole != (height, width):
        top, left = round((whole[0] - height) / 2), round((whole[1] - width) / 2)
        images = images[..., top : top + height, left : left + width]
    return (images - mean[:, None, None]) / std[:, None, None]


def sides(size: Size) -> tuple[int, int]:
    """Height and width of an input in pixels."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])
