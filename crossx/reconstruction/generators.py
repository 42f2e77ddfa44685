"""Generators (the paper says estimators): one latent gives a photo and a sketch."""

import inspect
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from crossx.batchnorm import batch_statistics_only
from crossx.errors import InputError
from crossx.files import read_safetensors, write_safetensors
from crossx.paths import resolve
from crossx.subclasses import loaded_subclasses
from crossx.teachers.pair import TeacherPair
from crossx.types import LatentBatch, PairBatch

_METADATA = "crossx_generators"


class Generator(nn.Module, ABC):
    """Latent to image of one modality.

    Args:
        latent_dim: Z, length of the noise vector.
        classes: K of a class-conditional generator; 0 for an unconditional one, which finds classes by itself.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, latent_dim: int, classes: int = 0) -> None:
        super().__init__()
        if latent_dim < 1:
            raise InputError(f"latent_dim: {latent_dim} is not legal; at least 1")
        if classes < 0:
            raise InputError(f"classes: {classes} is not legal; 0 (unconditional) or the number of classes")
        self.latent_dim = latent_dim
        self.classes = classes

    @abstractmethod
    def forward(self, noise: Tensor, target: Tensor) -> Tensor:
        """Make images.

        Args:
            noise: (B, Z).
            target: Wanted classes as indices into the union, (B,); ignored by an unconditional generator.

        Returns:
            (B, 3, S, S) in [0, 1].
        """

    def arguments(self) -> dict[str, Any]:
        """What the constructor was called with, for the file that keeps the weights."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}


class UpsamplingGenerator(Generator):
    """Linear layer, then nearest-neighbour upsampling and 3x3 convolutions, as in Fast-DFKD (arXiv 2112.06421).

    Upsampling followed by convolution leaves none of the checkerboards of transposed convolutions, which a teacher
    would take for texture.

    Args:
        size: S, side of the images in pixels; a multiple of 4.
        latent_dim: Z.
        width: Channels at full resolution; twice as many below.
        channels: 3 for photos; 1 for sketches, whose one channel is repeated.
        norm: Normalisation between the layers; `batch` learns best, `group` does not depend on the batch.
        classes: K for class-conditional images, 0 for unconditional ones.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(
        self,
        size: int = 32,
        latent_dim: int = 256,
        width: int = 64,
        channels: Literal[1, 3] = 3,
        norm: Literal["batch", "group", "none"] = "batch",
        classes: int = 0,
    ) -> None:
        super().__init__(latent_dim, classes)
        if size < 8 or size % 4:
            raise InputError(f"size: {size} is not legal; a multiple of 4, at least 8")
        if width < 8 or width % 8:
            raise InputError(f"width: {width} is not legal; a multiple of 8")
        if channels not in (1, 3) or norm not in ("batch", "group", "none"):
            raise InputError(f"channels {channels!r} and norm {norm!r}: legal are 1 or 3, and batch, group or none")
        self.size, self.width, self.channels, self.norm = size, width, channels, norm
        start, wide = size // 4, 2 * width
        self.embed = nn.Embedding(classes, latent_dim) if classes else None
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
            nn.Conv2d(width, channels, 3, padding=1),
        )

    def forward(self, noise: Tensor, target: Tensor) -> Tensor:
        """(B, Z) and (B,) to (B, 3, S, S) in [0, 1]."""
        if self.embed is not None:
            noise = (noise + self.embed(target)) / math.sqrt(2)  # both have unit variance at the start
        # channels_last: convolutions are a fifth faster, and teachers want it anyway.
        start = self.start(noise).contiguous(memory_format=torch.channels_last)
        # float() first: a sigmoid in bfloat16 knows only 128 grey levels near white.
        images: Tensor = self.body(start).float().sigmoid()
        return images.expand(-1, 3, -1, -1)


def _norm(kind: Literal["batch", "group", "none"], channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(8, channels) if kind == "group" else nn.Identity()


class GeneratorPair(nn.Module):
    """Photo and sketch generator over one latent.

    Args:
        photo: Makes photos.
        sketch: Makes sketches.

    Raises:
        InputError: When the two do not take the same latents.
    """

    def __init__(self, photo: Generator, sketch: Generator) -> None:
        super().__init__()
        for name in ("latent_dim", "classes"):
            if getattr(photo, name) != getattr(sketch, name):
                raise InputError(
                    f"sketch_generator.{name}: {getattr(sketch, name)} is not legal beside photo_generator.{name} = "
                    f"{getattr(photo, name)}: one latent gives both images, so they must agree"
                )
        self.photo, self.sketch = photo, sketch

    @property
    def latent_dim(self) -> int:
        """Z of both."""
        return self.photo.latent_dim

    @property
    def conditional(self) -> bool:
        """Whether the images' class is asked for."""
        return self.photo.classes > 0

    def check_classes(self, classes: int) -> None:
        """Refuse class-conditional generators of another number of classes.

        Raises:
            InputError: With the legal number.
        """
        if self.conditional and self.photo.classes != classes:
            raise InputError(
                f"photo_generator.classes: {self.photo.classes} is not legal; the teachers know {classes} classes "
                "together (0 makes the generator unconditional)"
            )

    def forward(self, noise: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Photos and sketches, (B, 3, S, S) each."""
        return self.photo(noise, target), self.sketch(noise, target)


def make_pairs(
    generators: GeneratorPair, teachers: TeacherPair, latents: LatentBatch, statistics: bool = False
) -> PairBatch:
    """Latents to pairs and what the teachers say of them, with gradient."""
    target = teachers.vocabulary.draw(latents.uniform)
    photo, sketch = generators(latents.noise, target)
    pairs: PairBatch = teachers(photo, sketch, target if generators.conditional else None, statistics)
    return pairs


@torch.no_grad()
def sample_pairs(generators: GeneratorPair, teachers: TeacherPair, latents: LatentBatch) -> PairBatch:
    """Latents to pairs without gradient; normalised by the batch at hand, as in the training of the generators."""
    with batch_statistics_only(generators):
        return make_pairs(generators, teachers, latents)


def save_generators(path: Path, generators: GeneratorPair, classes: Sequence[str]) -> None:
    """Write both generators to one safetensors file, atomically.

    Args:
        path: The file.
        generators: Both.
        classes: Names of the classes in the order that the generators know, K.
    """
    specs: dict[str, Any] = {
        side: {"class": type(generator).__name__, "arguments": generator.arguments()}
        for side, generator in (("photo", generators.photo), ("sketch", generators.sketch))
    }
    specs["classes"] = list(classes)
    write_safetensors(path, generators.state_dict(), {_METADATA: json.dumps(specs)})


def load_generators(path: str, field: str) -> tuple[GeneratorPair, tuple[str, ...]]:
    """Read the two generators of an earlier run, ready to sample and without gradient, and the names of their classes.

    Raises:
        InputError: When the file does not exist, is no such file, or names a generator class that is not loaded.
    """
    file = resolve(path, field)
    tensors, metadata = read_safetensors(file, field)
    try:
        specs = json.loads(metadata[_METADATA])
        pair = GeneratorPair(*(_build(specs[side]) for side in ("photo", "sketch")))
        pair.load_state_dict(tensors)
        classes = tuple(map(str, specs["classes"]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:  # InputError and JSON's error are ValueErrors
        raise InputError(f"{field}: {file} does not hold two generators saved by crossx ({error})") from error
    return pair.requires_grad_(False).eval(), classes


def _build(spec: dict[str, Any]) -> Generator:
    # The file is untrusted: a class is looked up among those already loaded, nothing is imported by name.
    known = {cls.__name__: cls for cls in loaded_subclasses(Generator)}  # type: ignore[type-abstract]  # abstract on purpose
    if spec["class"] not in known:
        raise InputError(f"generator class {spec['class']!r} is not loaded; known: {', '.join(sorted(known))}")
    return known[spec["class"]](**spec["arguments"])
