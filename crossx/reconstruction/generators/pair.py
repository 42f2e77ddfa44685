"""Both generators over one latent, and pairs made with them."""

import torch
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.networks.batch_norm import batch_statistics_only
from crossx.reconstruction.generators.base import Generator
from crossx.teachers.pair import TeacherPair
from crossx.types import LatentBatch, PairBatch


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
        for name in ("latent_dim", "classes", "mixture"):
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


def make_images(
    generators: GeneratorPair, teachers: TeacherPair, latents: LatentBatch
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Latents to photos and sketches, (B, 3, S, S) each, with gradient, and the classes that were asked for, (B,)."""
    target = teachers.vocabulary.draw(latents.uniform)
    photo, sketch = generators(latents.noise, target)
    return photo, sketch, target if generators.conditional else None


def make_pairs(
    generators: GeneratorPair, teachers: TeacherPair, latents: LatentBatch, statistics: bool = False
) -> PairBatch:
    """Latents to pairs and what the teachers say of them, with gradient."""
    pairs: PairBatch = teachers(*make_images(generators, teachers, latents), statistics)
    return pairs


@torch.no_grad()
def sample_pairs(generators: GeneratorPair, teachers: TeacherPair, latents: LatentBatch) -> PairBatch:
    """Latents to pairs without gradient; normalised by the batch at hand, as in the training of the generators."""
    with batch_statistics_only(generators):
        return make_pairs(generators, teachers, latents)
