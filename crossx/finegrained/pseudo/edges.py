"""Edge maps as pseudo sketches."""

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.finegrained.pseudo.base import PseudoSketches
from crossx.finegrained.types import FineGrainedBatch


class EdgeMaps(PseudoSketches):
    """Edges of the photo, dark on white: the gradient's magnitude after a blur, thinned across the edge.

    The steps are those of Canny's detector ("A Computational Approach to Edge Detection", 1986) without its hysteresis:
    weak edges stay grey.

    Args:
        blur: Standard deviation of the Gaussian blur in pixels of an image of 64, in (0, 8]; it grows with the image.
        contrast: Share of the image's strongest edges that are drawn black, in (0, 1).

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, blur: float = 1.0, contrast: float = 0.05) -> None:
        super().__init__()
        must_be_in("EdgeMaps.blur", blur, "(0, 8]")
        must_be_in("EdgeMaps.contrast", contrast, "(0, 1)")
        self.blur = blur
        self.contrast = contrast

    def draw(self, photos: Tensor, batch: FineGrainedBatch) -> Tensor:
        """Return the edge maps, three equal channels."""
        return edge_maps(photos, self.blur * photos.shape[-1] / 64, self.contrast).expand_as(photos).contiguous()


def edge_maps(photos: Tensor, blur: float, contrast: float) -> Tensor:
    """Edges of photos, dark on white.

    Args:
        photos: (B, 3, H, W) in [0, 1].
        blur: Standard deviation of the blur in pixels.
        contrast: Share of the strongest edges that are drawn black.

    Returns:
        (B, 1, H, W) in [0, 1].
    """
    with torch.autocast(photos.device.type, enabled=False):  # quantiles take no half precision
        # The strongest channel at each pixel: two colours of equal brightness have an edge between them, too.
        gradients = _sobel(_blurred(photos.float(), blur))
        strongest = (gradients[0].square() + gradients[1].square()).argmax(1, keepdim=True)
        across, down = (side.gather(1, strongest) for side in gradients)
        strength = (across.square() + down.square()).sqrt()
        thin = strength * _crest(strength, across, down)
        black = strength.flatten(1).quantile(1 - contrast, dim=1).clamp_min(1e-6).view(-1, 1, 1, 1)
        ink = F.max_pool2d((thin / black).clamp(0, 1), 2, 1, padding=1)[..., 1:, 1:]  # lines of two pixels
        return 1 - ink


def _blurred(x: Tensor, deviation: float) -> Tensor:
    radius = max(1, round(3 * deviation))
    place = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    weight = torch.exp(-0.5 * (place / deviation) ** 2)
    weight = weight / weight.sum()
    channels = x.shape[1]
    x = F.pad(x, (radius,) * 4, mode="replicate")
    for kernel in (weight.view(1, 1, -1, 1), weight.view(1, 1, 1, -1)):
        x = F.conv2d(x, kernel.repeat(channels, 1, 1, 1), groups=channels)
    return x


def _sobel(x: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients to the right and downwards, (B, C, H, W) each."""
    kernel = x.new_tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    channels = x.shape[1]
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across, down = (F.conv2d(padded, k.repeat(channels, 1, 1, 1), groups=channels) for k in (kernel, kernel.T))
    return across, down


def _crest(strength: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Mask of pixels that no neighbour along the gradient exceeds, (B, 1, H, W)."""
    height, width = strength.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=strength.device), torch.arange(width, device=strength.device), indexing="ij"
    )
    length = strength.clamp_min(1e-12)
    step_x, step_y = (across / length).round().long()[:, 0], (down / length).round().long()[:, 0]
    kept = torch.ones_like(strength, dtype=torch.bool)
    flat = strength.flatten(1)
    for side in (-1, 1):
        place = (y + side * step_y).clamp(0, height - 1) * width + (x + side * step_x).clamp(0, width - 1)
        kept &= strength >= flat.gather(1, place.flatten(1)).view_as(strength)
    return kept
