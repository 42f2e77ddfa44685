"""Photo-like renderings of drawn objects: materials, clutter, light, viewpoint and camera."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from crossx.data.shapes.curves import Curve, ellipse, polygon
from crossx.data.shapes.detail import HARD, Detail
from crossx.data.shapes.objects import MATERIALS, Part
from crossx.data.shapes.viewpoint import Viewpoint

Floats: TypeAlias = npt.NDArray[np.floating[Any]]

SUPERSAMPLING = 4


def render_photo(
    parts: list[Part],
    size: int,
    rng: np.random.Generator,
    detail: Detail = HARD,
    viewpoint: Viewpoint | None = None,
) -> npt.NDArray[np.uint8]:
    """Render a photo-like image of an object.

    Args:
        parts: The object, see `crossx.data.shapes.objects.draw_object`.
        size: Side of the image in pixels; the same random numbers give the same scene at every size, but for the
            sensor noise.
        rng: Source of materials, background, light, viewpoint and camera, none of which depends on the object.
        detail: Difficulty.
        viewpoint: Where the camera stands; None draws it from `rng`, too.

    Returns:
        RGB, (size, size, 3).
    """
    canvas = _Canvas(size, rng)
    canvas.background(detail.clutter)
    view = Viewpoint.draw(rng, detail.extent) if viewpoint is None else viewpoint
    outlines = view.frame([part.outline for part in parts])
    materials = [_Material(rng) for _ in range(MATERIALS)]
    canvas.shadow(outlines)
    for part, outline in zip(parts, outlines, strict=True):
        canvas.paint(outline, materials[part.material])
    for _ in range(rng.poisson(detail.occluders)):
        canvas.paint(_scrap(rng, 0.05, 0.14), _Material(rng))
    return canvas.develop()


def _scrap(rng: np.random.Generator, smallest: float, largest: float) -> Curve:
    """A piece of clutter: disc, bar, triangle or quadrilateral, anywhere in the frame."""
    radius, (x, y) = rng.uniform(smallest, largest), rng.uniform(0, 1, 2)
    kind = rng.integers(4)
    if kind == 0:
        return ellipse(x, y, radius, radius * rng.uniform(0.4, 1))
    start = rng.uniform(0, 2 * np.pi)
    if kind == 1:
        long = rng.uniform(2, 5) * radius
        bar = np.array([[-long, -0.25], [long, -0.25], [long, 0.25], [-long, 0.25]]) * [1, radius]
        turn = np.array([[np.cos(start), -np.sin(start)], [np.sin(start), np.cos(start)]])
        return np.asarray(bar @ turn.T + [x, y])
    angles = start + np.cumsum(rng.uniform(0.6, 1.4, int(kind) + 1)) * 2 * np.pi / (kind + 1)
    return polygon(*((x + radius * float(np.cos(a)), y + radius * float(np.sin(a))) for a in angles))


def _colour(rng: np.random.Generator) -> Floats:
    """A colour in [0, 1], (3,): hue uniform, from grey to saturated, from dark to bright."""
    hue, saturation, value = rng.uniform(0, 1), rng.beta(1.3, 2.0), rng.beta(2.2, 1.2)
    ramp = np.clip(np.abs((hue * 6 + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return np.asarray(value * (1 - saturation + saturation * ramp), np.float32)


class _Material:
    """Two colours and a pattern that mixes them."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.base = _colour(rng)
        self.second = self.base + np.float32(rng.uniform(0.25, 0.7)) * (_colour(rng) - self.base)
        self.kind = rng.choice(["plain", "stripes", "dots", "checks", "cloud"], p=[0.4, 0.2, 0.1, 0.1, 0.2])
        angle, frequency = rng.uniform(0, np.pi), rng.uniform(14, 40)
        self.across = np.array([np.cos(angle), np.sin(angle)], np.float32) * np.float32(frequency)
        self.phase = rng.uniform(0, 2 * np.pi, 2).astype(np.float32)
        self.cloud = rng.uniform(0, 1, (9, 9)).astype(np.float32)

    def fill(self, x: Floats, y: Floats) -> Floats:
        """Colours (S, S, 3) at frame positions x, (1, S), and y, (S, 1)."""
        if self.kind == "plain":
            return self.base
        if self.kind == "cloud":
            size = x.shape[1]
            mix = np.asarray(Image.fromarray(self.cloud).resize((size, size), Image.Resampling.BICUBIC))
        else:
            u = np.sin(self.across[0] * x + self.across[1] * y + self.phase[0])
            if self.kind != "stripes":
                v = np.sin(-self.across[1] * x + self.across[0] * y + self.phase[1])
                u = u * v if self.kind == "checks" else u + v - 0.8
            mix = 1 / (1 + np.exp(-6 * u))
        return np.asarray(self.base + mix[..., None] * (self.second - self.base))


class _Canvas:
    """Float32 image, (S, S, 3), about 0 to 1, painted through antialiased masks."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size = size
        self.rng = rng
        self.x: Floats = ((np.arange(size) + 0.5) / size).astype(np.float32)[None, :]
        self.y = self.x.T
        self.pixels = np.zeros((size, size, 3), np.float32)
        angle = rng.uniform(-np.pi, 0)  # light falls from above
        self.light = np.array([np.cos(angle), np.sin(angle)])
        self.relief = rng.uniform(0.15, 0.5)

    def _mask(self, outline: Curve) -> Image.Image:
        """Coverage of a closed outline, 0 to 255, (S, S)."""
        side = self.size * SUPERSAMPLING
        mask = Image.new("L", (side, side))
        ImageDraw.Draw(mask).polygon((outline * side).ravel().tolist(), fill=255)
        return mask.reduce(SUPERSAMPLING)

    def paint(self, outline: Curve, material: _Material) -> None:
        """Fill an outline with a material, lit as if its edges were rounded."""
        mask = self._mask(outline)
        alpha = np.asarray(mask, np.float32) / 255
        height = np.asarray(mask.filter(ImageFilter.GaussianBlur(0.035 * self.size)), np.float32) / 255
        down, right = np.gradient(height)
        slope = (right * self.light[0] + down * self.light[1]) * (0.09 * self.size)
        ramp = (self.x - 0.5) * self.light[0] + (self.y - 0.5) * self.light[1]
        shade = 1 + self.relief * (0.5 * ramp - 1.4 * slope)
        self._blend(alpha, material.fill(self.x, self.y) * shade[..., None].astype(np.float32))

    def _blend(self, alpha: Floats, colour: Floats) -> None:
        self.pixels += alpha[..., None] * (colour - self.pixels)

    def background(self, clutter: float) -> None:
        """A gradient, perhaps a ground, soft blobs, and on average `clutter` scraps that look like parts of objects."""
        rng = self.rng
        self.pixels[:] = _Material(rng).fill(self.x, self.y)
        self._blend(np.clip(self._ramp(), 0, 1), _colour(rng))
        if rng.random() < 0.6:
            edge = self.y - rng.uniform(0.35, 0.85) - rng.normal(0, 0.15) * (self.x - 0.5)
            self._blend(np.clip(edge * self.size + 0.5, 0, 1), _Material(rng).fill(self.x, self.y))
        for _ in range(rng.poisson(1.5)):
            (cx, cy), r = rng.uniform(0, 1, 2), rng.uniform(0.08, 0.3)
            blob = np.exp(-((self.x - cx) ** 2 + (self.y - cy) ** 2) / (2 * r * r))
            self._blend(blob.astype(np.float32) * np.float32(rng.uniform(0.3, 0.9)), _colour(rng))
        for _ in range(rng.poisson(clutter)):
            self.paint(_scrap(rng, 0.05, 0.25), _Material(rng))

    def _ramp(self) -> Floats:
        """A linear ramp across the frame in a random direction, about 0 to 1."""
        angle = self.rng.uniform(0, 2 * np.pi)
        return np.asarray(0.5 + np.cos(angle) * (self.x - 0.5) + np.sin(angle) * (self.y - 0.5), np.float32)

    def shadow(self, outlines: list[Curve]) -> None:
        """Darken what lies behind an object on the side away from the light."""
        side = self.size
        mask = Image.new("L", (side, side))
        pen = ImageDraw.Draw(mask)
        away = -self.light * self.rng.uniform(0.02, 0.07)
        for outline in outlines:
            pen.polygon(((outline + away) * side).ravel().tolist(), fill=255)
        soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(0.03 * side)), np.float32) / 255
        self.pixels *= 1 - np.float32(self.rng.uniform(0.2, 0.6)) * soft[..., None]

    def develop(self) -> npt.NDArray[np.uint8]:
        """White balance, exposure, contrast, lens blur and sensor noise."""
        rng = self.rng
        gain = np.exp(rng.normal(0, 0.06, 3) + rng.normal(0, 0.12)).astype(np.float32)
        exposed = np.clip((self.pixels - 0.5) * np.float32(rng.uniform(0.8, 1.15)) + 0.5, 0, 1) * gain
        image = Image.fromarray((np.clip(exposed, 0, 1) * 255).astype(np.uint8))
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.0, 0.013) * self.size))
        noise = rng.standard_normal((self.size, self.size, 3), np.float32) * np.float32(255 * rng.uniform(0.0, 0.022))
        return np.clip(np.asarray(image, np.float32) + noise, 0, 255).astype(np.uint8)
