"""Random views of images on the device, each sample by its own draw, differentiable with respect to the images."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.augmentation.base import Augmentation
from crossx.core.errors import InputError


class Augment(Augmentation):
    """Random flip, rotation, scale, shift, colour and cutout. Every default of 0 leaves its part out.

    Flip, rotation, scale and shift are one affine map and one interpolation.

    Args:
        flip: Probability of mirroring left and right.
        rotation: Largest angle in degrees, either way.
        scale: Largest change of size: 0.2 draws factors from 1 / 1.2 to 1.2, uniform in the logarithm.
        shift: Largest shift in each direction as a share of the side.
        colour: Largest change of brightness, contrast and saturation: 0.4 draws factors from 0.6 to 1.4.
        cutout: Side of the square that is cut out ("Cutout", arXiv 1708.04552) as a share of the image's side. Its
            centre is anywhere in the image, so part of it may fall outside.
        padding: What comes in from outside and fills the cut: `border` repeats the edge and cuts to the image's mean
            colour, for photos; `white` is for sketches.

    Raises:
        InputError: When a value is outside its range.
    """

    def __init__(
        self,
        flip: float = 0.0,
        rotation: float = 0.0,
        scale: float = 0.0,
        shift: float = 0.0,
        colour: float = 0.0,
        cutout: float = 0.0,
        padding: Literal["border", "white"] = "border",
    ) -> None:
        limits = {
            "flip": (flip, 1.0),
            "rotation": (rotation, 180.0),
            "scale": (scale, 10.0),
            "shift": (shift, 1.0),
            "colour": (colour, 1.0),
            "cutout": (cutout, 1.0),
        }
        for name, (value, limit) in limits.items():
            if not 0 <= value <= limit:
                raise InputError(f"augmentation: {name} {value} is not legal; from 0 to {limit:g}")
        if padding not in ("border", "white"):
            raise InputError(f"augmentation: padding {padding!r} is not legal; border or white")
        self.flip = flip
        self.rotation = rotation
        self.scale = scale
        self.shift = shift
        self.colour = colour
        self.cutout = cutout
        self.padding = padding

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to a random view of each, of the same shape and range."""
        if self.flip or self.rotation or self.scale or self.shift:
            # affine_grid is a matrix product inside: in bfloat16 the places of pixels would be off by up to 1/256 of
            # the image.
            with torch.autocast(images.device.type, enabled=False):
                images = self._move(images)
        if self.colour:
            images = self._recolour(images)
        if self.cutout:
            images = self._cut(images)
        return images

    def _move(self, x: Tensor) -> Tensor:
        batch = len(x)
        angle = _uniform(batch, x) * math.radians(self.rotation)
        size = torch.exp(_uniform(batch, x) * math.log1p(self.scale))
        side = torch.where(torch.rand(batch, device=x.device) < self.flip, -1.0, 1.0)
        # The map goes from a place in the view to the place in the image where its colour comes from, in units of half
        # a side; hence the division by the size, and the factor 2 of the shift.
        cos, sin = angle.cos() / size, angle.sin() / size
        shift_x, shift_y = (2 * self.shift * _uniform(batch, x) for _ in range(2))
        ratio = x.shape[2] / x.shape[3]
        theta = torch.stack([side * cos, -side * sin * ratio, shift_x, sin / ratio, cos, shift_y], dim=1).view(-1, 2, 3)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        if self.padding == "border":
            return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        return 1 - F.grid_sample(1 - x, grid, padding_mode="zeros", align_corners=False)

    def _recolour(self, x: Tensor) -> Tensor:
        brightness, contrast, saturation = (1 + self.colour * _uniform(len(x), x).view(-1, 1, 1, 1) for _ in range(3))
        x = x * brightness
        x = torch.lerp(x.mean((1, 2, 3), keepdim=True), x, contrast)
        x = torch.lerp(x.mean(1, keepdim=True), x, saturation)
        return x.clamp(0, 1)

    def _cut(self, x: Tensor) -> Tensor:
        inside = x.new_ones(len(x), 1, 1, 1, dtype=torch.bool)
        for dim in (2, 3):
            side = x.shape[dim]
            centre = torch.rand(len(x), device=x.device).view(-1, 1) * side
            place = torch.arange(side, device=x.device) + 0.5
            near = (place - centre).abs() <= self.cutout * side / 2  # (B, side)
            inside = inside & (near[:, None, :, None] if dim == 2 else near[:, None, None, :])
        fill = x.mean((2, 3), keepdim=True) if self.padding == "border" else x.new_ones(())
        return torch.where(inside, fill, x)


def _uniform(batch: int, like: Tensor) -> Tensor:
    return torch.rand(batch, device=like.device) * 2 - 1
