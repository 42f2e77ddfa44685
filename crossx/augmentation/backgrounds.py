"""Procedural background images for `PasteOnto`."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from crossx.core.checks import must_be_in

_LEAVES = 24
_STROKES = 12
_POINTS = 20  # corners of each stroke


class BackgroundGenerator(ABC):
    """Random backgrounds for images of one modality, and how images are pasted onto them."""

    @abstractmethod
    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """Draw backgrounds.

        Args:
            count: Number B of backgrounds.
            height: Height H in pixels.
            width: Width W in pixels.
            generator: Source of all random numbers; the backgrounds are made on its device.

        Returns:
            (B, 3, H, W) in [0, 1].
        """

    @abstractmethod
    def paste(self, images: Tensor, backgrounds: Tensor) -> Tensor:
        """Paste each image, or a random part of it, onto a background.

        Args:
            images: (B, 3, H, W) in [0, 1].
            backgrounds: (B, 3, H, W) in [0, 1].

        Returns:
            (B, 3, H, W) in [0, 1].
        """


class DeadLeaves(BackgroundGenerator):
    """Backgrounds for photos: overlapping discs, rectangles and triangles of many sizes, with noisy textures.

    The dead-leaves model has edges, occlusions and roughly the spectrum of photographs ("Learning to See by Looking at
    Noise", arXiv 2106.05963), and shows no class. A rectangle of the image is pasted at the same position, as in CutMix
    (arXiv 1905.04899).

    Args:
        smallest: Shortest side of the pasted rectangle as a share of the image's side, in (0, largest].
        largest: Longest side of the pasted rectangle as a share of the image's side, in (0, 1].

    Raises:
        InputError: When the sides are not in (0, 1], or out of order.
    """

    def __init__(self, smallest: float = 0.35, largest: float = 0.9) -> None:
        must_be_in("DeadLeaves.largest", largest, "(0, 1]")
        must_be_in("DeadLeaves.smallest", smallest, f"(0, {largest}]")
        self.smallest = smallest
        self.largest = largest

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """Draw dead leaves, (B, 3, H, W)."""
        y, x = _places(height, width, generator)
        side = min(height, width)
        texture = _pink_noise(count, height, width, generator)

        def chance() -> Tensor:
            return _uniform((count, 1, 1, 1), generator)

        def paint() -> Tensor:
            colour = 0.05 + 0.9 * _uniform((count, 3, 1, 1), generator) + 0.15 * _normal((count, 1, 1, 1), generator)
            return colour + 0.25 * chance() * texture

        images = paint()
        leaves = 1 + chance() * (_LEAVES - 1)
        for leaf in range(_LEAVES):
            size = 0.06 + 0.9 * chance() ** 2
            aspect, angle = (0.5 * _normal((count, 1, 1, 1), generator)).exp(), math.pi * chance()
            right = x - 2.4 * (chance() - 0.5) * width / side
            down = y - 2.4 * (chance() - 0.5) * height / side
            u = (right * angle.cos() + down * angle.sin()) / (size * aspect)
            v = (down * angle.cos() - right * angle.sin()) / (size / aspect)
            disc, rectangle = (u * u + v * v).sqrt(), torch.maximum(u.abs(), v.abs())
            triangle = torch.maximum(0.87 * u.abs() + 0.5 * v, -v)
            kind = chance() * 3
            radius = torch.where(kind < 1, disc, torch.where(kind < 2, rectangle, triangle))
            # Antialiased edges: the signed distance from the outline in pixels, clamped to half a pixel.
            cover = ((1 - radius) * size * side / 2).clamp(-0.5, 0.5) + 0.5
            shade = 0.3 * (chance() - 0.5) * u
            images = torch.lerp(images, paint() + shade, cover * (leaf < leaves))
        return images.clamp(0, 1)

    def paste(self, images: Tensor, backgrounds: Tensor) -> Tensor:
        """Paste a random rectangle of each image."""
        inside = images.new_ones(len(images), 1, 1, 1, dtype=torch.bool)
        for dim in (2, 3):
            chance, place = torch.rand(2, len(images), 1, device=images.device)
            side = self.smallest + (self.largest - self.smallest) * chance
            start = place * (1 - side)
            pixel = (torch.arange(images.shape[dim], device=images.device) + 0.5) / images.shape[dim]
            near = (pixel >= start) & (pixel <= start + side)  # (B, side)
            inside = inside & (near[:, None, :, None] if dim == 2 else near[:, None, None, :])
        return torch.where(inside, images, backgrounds)


class Scribbles(BackgroundGenerator):
    """Backgrounds for sketches: black lines, curves and loops of a thin pen on white; images add their ink."""

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """Draw scribbles, (B, 3, H, W), with three equal channels."""
        y, x = _places(height, width, generator)
        side = min(height, width)
        extent = torch.tensor([width / side, height / side], device=generator.device)
        t = torch.linspace(0, 1, _POINTS, device=generator.device).view(1, -1, 1)

        def chance() -> Tensor:
            return _uniform((count, 1, 1), generator)

        def point() -> Tensor:
            return centre + 0.7 * size * _normal((count, 1, 2), generator)

        ink = torch.zeros(count, height, width, device=generator.device)
        strokes = 2 + chance() * (_STROKES - 2)
        for stroke in range(_STROKES):
            centre = 1.5 * (_uniform((count, 1, 2), generator) - 0.5) * extent
            size = 0.1 + 0.8 * chance()
            a, b, c, d = point(), point(), point(), point()
            line = torch.lerp(a, b, t)
            curve = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
            turn = 2 * math.pi * (chance() + t)
            loop = centre + 0.8 * size * torch.cat([turn.cos(), turn.sin() * chance()], dim=2)
            kind = chance() * 3
            path = torch.where(kind < 1, line, torch.where(kind < 2, curve, loop))
            path = torch.minimum(torch.maximum(path, -0.95 * extent), 0.95 * extent)
            # Half the line's width in pixels: one grey pixel at 32 px, three or four black ones at 224 px.
            pen = max(0.9, side / 128)
            pixels = _distance(x, y, path) * side / 2
            ink = torch.maximum(ink, (pen - pixels).clamp(0, 1) * (stroke < strokes))
        return (1 - ink)[:, None].expand(-1, 3, -1, -1).contiguous()

    def paste(self, images: Tensor, backgrounds: Tensor) -> Tensor:
        """Keep the darker of both at each pixel."""
        return torch.minimum(images, backgrounds)


def _places(height: int, width: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Coordinates y and x of the pixels' centres, (H, W) each; 0 is the middle, 1 half the shorter side."""
    side = min(height, width)
    down, right = ((2 * torch.arange(n, device=generator.device) + 1 - n) / side for n in (height, width))
    y, x = torch.meshgrid(down, right, indexing="ij")
    return y, x


def _distance(x: Tensor, y: Tensor, path: Tensor) -> Tensor:
    """Distance of each position from the nearest point of a path of straight segments.

    Args:
        x: Coordinates to the right, (H, W).
        y: Coordinates downwards, (H, W).
        path: Corners of the paths, (B, P, 2).

    Returns:
        (B, H, W).
    """
    nearest = torch.full((len(path), *x.shape), torch.inf, device=x.device)
    for start, end in zip(path[:, :-1].unbind(1), path[:, 1:].unbind(1), strict=True):
        across, along = x - start[:, :1, None], y - start[:, 1:, None]
        way_x, way_y = (end - start)[:, :1, None], (end - start)[:, 1:, None]
        length = (way_x**2 + way_y**2).clamp_min(torch.finfo(path.dtype).tiny)  # a segment may be a point
        share = ((across * way_x + along * way_y) / length).clamp(0, 1)
        nearest = torch.minimum(nearest, (across - share * way_x) ** 2 + (along - share * way_y) ** 2)
    return nearest.sqrt()


def _pink_noise(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Noise of unit variance with the 1 / f spectrum of photographs, (B, 3, H, W)."""
    device = generator.device
    down, right = torch.fft.fftfreq(height, device=device), torch.fft.rfftfreq(width, device=device)
    frequency = (down[:, None] ** 2 + right**2).sqrt()
    frequency[0, 0] = torch.inf  # no constant part, which belongs to the colour
    white = torch.fft.rfft2(_normal((count, 3, height, width), generator))
    noise: Tensor = torch.fft.irfft2(white / frequency, s=(height, width))
    return noise / noise.std((2, 3), keepdim=True)


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=generator.device)
