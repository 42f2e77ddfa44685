"""Random geometry, colour and cutout on the device, drawn for each image, differentiable with respect to the images."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.augmentation.base import Augmentation
from crossx.core.checks import must_be_in, must_be_one_of


class Augment(Augmentation):
    """Random flip, rotation, scale, shift, colour and cutout; a value of 0, the default, switches its part off.

    Flip, rotation, scale and shift are applied as one affine map with one interpolation.

    Args:
        flip: Probability of a horizontal flip, in [0, 1].
        rotation: Largest angle in degrees, in [0, 180]; angles are uniform in both directions.
        scale: Largest change of size, in [0, 10]: 0.2 draws factors from 1 / 1.2 to 1.2, uniform in the logarithm.
        shift: Largest shift in each direction as a share of the image's side, in [0, 1].
        colour: Largest change of brightness, contrast and saturation, in [0, 1]: 0.4 draws factors from 0.6 to 1.4.
        cutout: Side of the square that is cut out ("Cutout", arXiv 1708.04552) as a share of the image's side, in
            [0, 1]. The centre of the square is anywhere in the image, so part of the square may lie outside.
        padding: Fill of new pixels. `border`, for photos, repeats the edge and fills the cut with the image's mean
            colour; `white` is for sketches.

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
        must_be_in("Augment.flip", flip, "[0, 1]")
        must_be_in("Augment.rotation", rotation, "[0, 180]")
        must_be_in("Augment.scale", scale, "[0, 10]")
        must_be_in("Augment.shift", shift, "[0, 1]")
        must_be_in("Augment.colour", colour, "[0, 1]")
        must_be_in("Augment.cutout", cutout, "[0, 1]")
        must_be_one_of("Augment.padding", padding, ("border", "white"))
        self.flip = flip
        self.rotation = rotation
        self.scale = scale
        self.shift = shift
        self.colour = colour
        self.cutout = cutout
        self.padding = padding

    def __call__(self, images: Tensor) -> Tensor:
        """Random views of images, (B, 3, H, W) in [0, 1], with the same shape and range."""
        if self.flip or self.rotation or self.scale or self.shift:
            # affine_grid is a matrix product: in bfloat16 the positions of pixels would be off by up to 1/256 of the
            # image.
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
        # The map leads from a position in the view to the position in the image that the colour is taken from, in units
        # of half a side; hence the division by the size, and the factor 2 of the shift.
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
