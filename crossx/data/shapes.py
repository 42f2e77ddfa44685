"""Shapes: ten everyday objects, drawn by programs as photo-like images and as hand-like sketches.

The data set that quickstart, tests and demos use: nothing is downloaded and no file is opened. A photo fills an
object's parts (colour, texture, light, shadow, clutter, viewpoint, sensor); a sketch draws their outlines with an
imprecise hand that leaves parts out. Nothing but shape tells the class: colours, textures, backgrounds, line widths,
viewpoints and scales come from the same distributions for all.
"""

import hashlib
import json
from typing import get_args

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

from crossx.data.base import LabelledImages, RetrievalData
from crossx.errors import InputError
from crossx.strokes.curves import Curve, ellipse, inside, polygon, resample
from crossx.strokes.hand import draw_by_hand
from crossx.strokes.objects import MATERIALS, PROGRAMS, Part, draw_object
from crossx.strokes.raster import rasterise
from crossx.strokes.sequence import Strokes, fit_unit_square
from crossx.types import Modality, Split

Floats = npt.NDArray[np.float32]

FORMAT = 1
"""Raised whenever the same arguments give other images."""

SUPERSAMPLING = 4


# Photos -------------------------------------------------------------------------------------------------------------


def _photo(parts: list[Part], size: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A photo-like image of an object, (size, size, 3)."""
    canvas = _Canvas(size, rng)
    canvas.background()
    outlines = _viewpoint([part.outline for part in parts], rng)
    materials = [_Material(rng) for _ in range(MATERIALS)]
    canvas.shadow(outlines)
    for part, outline in zip(parts, outlines, strict=True):
        canvas.paint(outline, materials[part.material])
    for _ in range(rng.poisson(0.3)):
        canvas.paint(_scrap(rng, 0.05, 0.14), _Material(rng))
    return canvas.develop()


def _viewpoint(outlines: list[Curve], rng: np.random.Generator) -> list[Curve]:
    """Turn, shear, foreshorten, scale and shift into the frame, which is the unit square."""
    angle, shear = np.radians(rng.normal(0, 10)), rng.normal(0, 0.08)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1, shear], [0, 1]]) @ np.diag(np.exp(rng.normal(0, 0.1, 2)))
    tilt = rng.normal(0, 0.08, 2)
    seen = [outline @ matrix.T / (1 + outline @ tilt)[:, None] for outline in outlines]
    points = np.concatenate(seen)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = rng.uniform(0.6, 0.95)
    scale = extent / float((high - low).max())
    free = np.maximum(1 - (high - low) * scale, 0)
    centre = 0.5 + rng.uniform(-0.55, 0.55, 2) * free
    return [(outline - (low + high) / 2) * scale + centre for outline in seen]


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
    hue, saturation, value = rng.uniform(0, 1), rng.beta(1.5, 2.0), rng.uniform(0.25, 1.0)
    ramp = np.clip(np.abs((hue * 6 + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return (value * (1 - saturation + saturation * ramp)).astype(np.float32)


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
    """A picture in the making: linear float32 colours, (S, S, 3), painted by anti-aliased masks."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size = size
        self.rng = rng
        self.x = ((np.arange(size, dtype=np.float32) + 0.5) / size)[None, :]
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

    def background(self) -> None:
        """A gradient, perhaps a ground, soft blobs, and scraps that look like parts of objects."""
        rng = self.rng
        self._blend(np.clip(self._ramp(), 0, 1) * 0 + 1, _Material(rng).fill(self.x, self.y))
        self._blend(np.clip(self._ramp(), 0, 1), _colour(rng))
        if rng.random() < 0.6:
            edge = self.y - rng.uniform(0.35, 0.85) - rng.normal(0, 0.15) * (self.x - 0.5)
            self._blend(np.clip(edge * self.size + 0.5, 0, 1), _Material(rng).fill(self.x, self.y))
        for _ in range(rng.poisson(1.5)):
            (cx, cy), r = rng.uniform(0, 1, 2), rng.uniform(0.08, 0.3)
            blob = np.exp(-((self.x - cx) ** 2 + (self.y - cy) ** 2) / (2 * r * r))
            self._blend(blob.astype(np.float32) * np.float32(rng.uniform(0.3, 0.9)), _colour(rng))
        for _ in range(rng.poisson(1.5)):
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
        exposed = np.clip((self.pixels - 0.5) * np.float32(rng.uniform(0.75, 1.15)) + 0.5, 0, 1) * gain
        image = Image.fromarray((np.clip(exposed, 0, 1) * 255).astype(np.uint8))
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.0, 0.013) * self.size))
        noise = rng.standard_normal((self.size, self.size, 3), np.float32) * np.float32(255 * rng.uniform(0.0, 0.022))
        return np.clip(np.asarray(image, np.float32) + noise, 0, 255).astype(np.uint8)


# Sketches -----------------------------------------------------------------------------------------------------------

MINOR_OMITTED = 0.5
MAJOR_OMITTED = 0.12
HATCHING = 0.12
STRAY = 0.7


def _sketch(parts: list[Part], rng: np.random.Generator) -> Strokes:
    """A hand-like drawing of an object in the unit square."""
    care = rng.uniform(0, 1)  # from a scrawl to a careful drawing
    drawn = [part for part in parts if rng.random() > (MINOR_OMITTED if part.minor else MAJOR_OMITTED)] or parts
    angle, stretch = np.radians(rng.normal(0, 15)), np.exp(rng.normal(0, 0.17, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * (stretch / 2)
    curves: list[Curve] = []
    for i, part in enumerate(drawn):
        lines = _visible(part.curve, [later.curve for later in drawn[i + 1 :] if not later.width])
        if not part.width and rng.random() < HATCHING:
            lines += _hatching(part.curve, rng)
        curves += [line @ turn.T for line in lines]
    curves += [_stray(rng) for _ in range(rng.poisson(STRAY))]
    strokes = draw_by_hand(curves, rng, wobble=0.045 - 0.038 * care, slip=0.06 - 0.05 * care)
    margin = rng.uniform(0.05, 0.2)
    fitted = fit_unit_square([stroke.astype(np.float32) for stroke in strokes], margin)
    shift = rng.uniform(-0.7, 0.7, 2).astype(np.float32) * np.float32(margin)
    return [stroke + shift for stroke in fitted]


def _visible(curve: Curve, later: list[Curve]) -> list[Curve]:
    """The pieces of a curve that the areas painted later do not cover."""
    dense = resample(curve, 0.04)
    seen = np.ones(len(dense), dtype=bool)
    for area in later:
        seen &= ~inside(dense, area)
    if seen.all():
        return [curve]
    if np.allclose(curve[0], curve[-1]) and seen[0] and seen[-1]:
        gap = int(np.flatnonzero(~seen)[0])  # begin where it is hidden, so that no visible piece is cut in two
        dense, seen = np.roll(dense[:-1], -gap, axis=0), np.roll(seen[:-1], -gap)
    edges = np.flatnonzero(np.diff(seen.astype(np.int8), prepend=0, append=0))
    return [dense[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 3]


def _hatching(area: Curve, rng: np.random.Generator) -> list[Curve]:
    """Parallel lines across an area."""
    low, high = area.min(axis=0), area.max(axis=0)
    centre, radius = (low + high) / 2, float(np.hypot(*(high - low))) / 2
    angle, gap = rng.uniform(0.4, 1.2) * rng.choice([-1, 1]), rng.uniform(0.16, 0.3)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    lines: list[Curve] = []
    for offset in np.arange(-radius + gap / 2, radius, gap):
        line = centre + across * offset + along * np.linspace(-radius, radius, 40)[:, None]
        within = np.flatnonzero(inside(line, area))
        if len(within) > 3:
            lines.append(line[within[[0, -1]]])
    return lines


def _stray(rng: np.random.Generator) -> Curve:
    """An arc that belongs to nothing: ground, cloud, or a slip of the pen."""
    (x, y), (rx, ry), start = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.05, 0.4, 2), rng.uniform(0, 360)
    return ellipse(x, y, rx, ry, start, start + rng.uniform(60, 300))


def _line_width(size: int, rng: np.random.Generator) -> float:
    """Pen width in pixels: visible at 32 px, finer in proportion on larger images."""
    return float(rng.uniform(1.2, 2.0)) * max(1.0, (size / 32) ** 0.5)


# Data set -----------------------------------------------------------------------------------------------------------

_SPLITS: tuple[Split, ...] = get_args(Split)
_OBJECT, _PHOTO, _SKETCH, _PEN = range(4)


def _stream(seed: int, split: Split, label: int, instance: int, *purpose: int) -> np.random.Generator:
    """Random numbers that depend on nothing but the arguments (Philox: a counter-based generator)."""
    key = [seed, _SPLITS.index(split), label, instance, *purpose]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


class ShapesDataset(RetrievalData):
    """Photos and sketches of ten objects; see the module's description.

    Image i is a pure function of (seed, split, class, instance): more instances or another size leave the scenes as
    they are. A photo and the sketches of one instance show the same object with the same proportions.

    Args:
        size: Side of the images in pixels, at least 16.
        seed: Another seed is another data set of the same kind, >= 0.
        train: Instances per class for training.
        validation: Instances per class for validation.
        test: Instances per class for test.
        sketches: Sketches per instance, at least 1.
        cache: Keep drawn images in memory; all of the default ones at 32 px take 25 MB.

    Raises:
        InputError: When an argument is out of its range.
    """

    name = "shapes"
    classes = tuple(PROGRAMS)

    def __init__(
        self,
        size: int = 32,
        seed: int = 0,
        train: int = 300,
        validation: int = 40,
        test: int = 60,
        sketches: int = 1,
        cache: bool = True,
    ) -> None:
        counts = {"train": train, "validation": validation, "test": test}
        for field, value, least in [("size", size, 16), ("seed", seed, 0), ("sketches", sketches, 1)]:
            if value < least:
                raise InputError(f"{field}: {value} must be at least {least}")
        for field, value in counts.items():
            if value < 0:
                raise InputError(f"{field}: {value} instances per class; it must be at least 0")
        self.size = size
        self.seed = seed
        self.sketches = sketches
        self.counts = counts
        self.cache = cache

    def images(self, modality: Modality, split: Split) -> "ShapesImages":
        """The photos or sketches of a split, ordered by class, instance and sketch."""
        return ShapesImages(self, modality, split)

    def strokes(self, split: Split, i: int) -> Strokes:
        """The strokes of sketch i of a split, in drawing order, in [0, 1]."""
        instance, sketch = divmod(i, self.sketches)
        label, number = divmod(instance, self.counts[split])
        parts = draw_object(self.classes[label], _stream(self.seed, split, label, number, _OBJECT))
        return _sketch(parts, _stream(self.seed, split, label, number, _SKETCH, sketch))

    @property
    def split_hash(self) -> str:
        """SHA-256 (hex) of seed, counts, classes and format version."""
        what = [FORMAT, self.seed, self.counts, self.sketches, self.classes]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()


class ShapesImages(LabelledImages):
    """Photos or sketches of one split of a `ShapesDataset`."""

    def __init__(self, data: ShapesDataset, modality: Modality, split: Split) -> None:
        self.data = data
        self.split: Split = split
        self.per_class = data.counts[split]
        copies = data.sketches if modality == "sketch" else 1
        labels, instances, names = [], [], []
        for label, class_name in enumerate(data.classes):
            for number in range(self.per_class):
                for copy in range(copies):
                    labels.append(label)
                    instances.append(f"{split}/{class_name}/{number:04d}")
                    names.append(f"{modality}/{instances[-1]}-{copy}")
        super().__init__(modality, data.classes, labels, names, instances, cache=data.cache)

    def read(self, i: int) -> Tensor:
        """Draw image i: uint8 RGB, (3, S, S)."""
        data = self.data
        label = int(self.labels[i])
        if self.modality == "photo":
            number = i % self.per_class
            parts = draw_object(data.classes[label], _stream(data.seed, self.split, label, number, _OBJECT))
            photo = _photo(parts, data.size, _stream(data.seed, self.split, label, number, _PHOTO))
            return torch.from_numpy(photo).permute(2, 0, 1).contiguous()
        number, copy = divmod(i % (self.per_class * data.sketches), data.sketches)
        width = _line_width(data.size, _stream(data.seed, self.split, label, number, _PEN, copy))
        sketch = rasterise(data.strokes(self.split, i), data.size, width)
        return torch.tensor(sketch).expand(3, -1, -1).clone()
