"""Generators that double the resolution by nearest-neighbour upsampling and convolve.

Upsampling followed by convolution leaves none of the checkerboards of transposed convolutions, which a teacher would
take for texture.
"""

from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.errors import InputError
from crossx.reconstruction.generators.base import Generator
from crossx.types import Modality

Norm = Literal["batch", "group", "none"]


class UpsamplingGenerator(Generator):
    """Linear layer, then nearest-neighbour upsampling and 3x3 convolutions, as in Fast-DFKD (arXiv 2112.06421).

    Two doublings: for images of 32 px and thereabouts. `DeepUpsamplingGenerator` is for larger ones.

    Args:
        modality: Modality of the images. A sketch has one channel, which is repeated.
        size: S, side of the images in pixels; a multiple of 4.
        latent_dim: Z.
        width: Channels at full resolution; twice as many below.
        norm: Normalisation between the layers; `batch` learns best, `group` does not depend on the batch.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(
        self,
        modality: Modality,
        size: int = 32,
        latent_dim: int = 256,
        width: int = 64,
        norm: Norm = "batch",
    ) -> None:
        super().__init__(modality, latent_dim)
        if size < 8 or size % 4:
            raise InputError(f"generator.size: must be a multiple of 4 and at least 8, got {size}")
        _check(width, norm)
        self.size, self.width, self.norm = size, width, norm
        start, wide = size // 4, 2 * width
        self.start = nn.Sequential(nn.Linear(latent_dim, wide * start**2), nn.Unflatten(1, (wide, start, start)))
        self.body = nn.Sequential(
            _norm(norm, wide),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(wide, wide, 3, padding=1),
            _norm(norm, wide),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(wide, width, 3, padding=1),
            _norm(norm, width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, self.channels, 3, padding=1),
        )

    def forward(self, noise: Tensor) -> Tensor:
        """(B, Z) to (B, 3, S, S) in [0, 1]."""
        return _images(self.start(noise), self.body)


class DeepUpsamplingGenerator(Generator):
    """More doublings and more channels at low resolution, for images from 32 to 224 px and beyond.

    After the deep generators of Fast-DFKD (arXiv 2112.06421: five doublings from 7x7) and NAYER (arXiv 2310.00258: four
    from a 16th of the side). Theirs have n or 2n channels everywhere; here they double with each halving of the
    resolution up to eight times `width`, as in DCGAN (arXiv 1511.06434), because a channel costs least where the image
    is small.

    Args:
        modality: Modality of the images. A sketch has one channel, which is repeated.
        size: S, side of the images in pixels; a multiple of 2 to the power of `doublings`, at least twice that.
        latent_dim: Z.
        width: Channels at full resolution; 2, 4, 8, 8, ... times as many at each half of it.
        norm: Normalisation between the layers; `batch` learns best, `group` does not depend on the batch.
        doublings: How often the resolution is doubled, from 1 to 6. With 4, 224 px start at 14x14, with 5 at 7x7.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(
        self,
        modality: Modality,
        size: int = 224,
        latent_dim: int = 256,
        width: int = 32,
        norm: Norm = "batch",
        doublings: int = 4,
    ) -> None:
        super().__init__(modality, latent_dim)
        must_be_in("generator.doublings", doublings, "[1, 6]")
        factor = 2**doublings
        if size < 2 * factor or size % factor:
            raise InputError(
                f"generator.size: must be a multiple of {factor} and at least {2 * factor} with {doublings} doublings, "
                f"got {size}"
            )
        _check(width, norm)
        self.size, self.width, self.norm = size, width, norm
        self.doublings = doublings
        start = size // factor
        plan = [width * 2 ** min(level, 3) for level in range(doublings, -1, -1)]
        self.start = nn.Sequential(nn.Linear(latent_dim, plan[0] * start**2), nn.Unflatten(1, (plan[0], start, start)))
        layers = [_norm(norm, plan[0]), *_block(plan[0], plan[0], norm)]
        for before, after in pairwise(plan):
            layers += [nn.Upsample(scale_factor=2), *_block(before, after, norm)]
        self.body = nn.Sequential(*layers, nn.Conv2d(width, self.channels, 3, padding=1))

    def forward(self, noise: Tensor) -> Tensor:
        """(B, Z) to (B, 3, S, S) in [0, 1]."""
        return _images(self.start(noise), self.body)


def _images(start: Tensor, body: nn.Module) -> Tensor:
    """Feature maps at the lowest resolution to images in [0, 1], one channel repeated."""
    # channels_last: convolutions are a fifth faster, and teachers want it anyway.
    # float() first: a sigmoid in bfloat16 has only 128 grey levels near white.
    images: Tensor = body(start.contiguous(memory_format=torch.channels_last)).float().sigmoid()
    return images.expand(-1, 3, -1, -1)


def _block(before: int, after: int, norm: Norm) -> list[nn.Module]:
    # BatchNorm takes the mean away, and a bias with it.
    return [nn.Conv2d(before, after, 3, padding=1, bias=norm != "batch"), _norm(norm, after), nn.LeakyReLU(0.2)]


def _norm(kind: Norm, channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(8, channels) if kind == "group" else nn.Identity()


def _check(width: int, norm: str) -> None:
    if width < 8 or width % 8:
        raise InputError(f"generator.width: must be a multiple of 8, got {width}")
    must_be_one_of("generator.norm", norm, get_args(Norm))
