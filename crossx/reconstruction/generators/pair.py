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
        if photo.latent_dim != sketch.latent_dim:
            raise InputError(
                "generator, sketch_generator: must have one latent_dim, because one latent gives both images, got "
                f"{photo.latent_dim} and {sketch.latent_dim}"
            )
        self.photo, self.sketch = photo, sketch

    @property
    def latent_dim(self) -> int:
        """Z of both."""
        return self.photo.latent_dim

    def forward(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Photos and sketches, (B, 3, S, S) each."""
        return self.photo(noise), self.sketch(noise)


def make_pairs(
    generators: GeneratorPair, teachers: TeacherPair, latents: LatentBatch, statistics: bool = False
) -> PairBatch:
    """Make pairs of latents and run the teachers on them, with gradient."""
    pairs: PairBatch = teachers(*generators(latents.noise), statistics=statistics)
    return pairs


@torch.no_grad()
def sample_pairs(generators: GeneratorPair, teachers: TeacherPair, latents: LatentBatch) -> PairBatch:
    """Make pairs of latents without gradient; normalised by the batch at hand, as in the training of the generators."""
    with batch_statistics_only(generators):
        return make_pairs(generators, teachers, latents)
