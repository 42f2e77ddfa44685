"""Encoder that embeds by the teacher's posterior."""

import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.encoding.embeddings import Embedding
from crossx.encoding.encoders.base import Encoder
from crossx.encoding.encoders.teacher import FrozenTeacherEncoder
from crossx.teachers.pair import TeacherPair
from crossx.teachers.vocabulary import Vocabulary
from crossx.types import MODALITIES, Modality, TeacherOutput


def posterior_vector(posterior: Tensor, modality: Modality) -> Tensor:
    """Turn a posterior into a unit vector.

    A further coordinate, which is 0 in the other modality, fills the vector up to length 1, so that the cosine of a
    photo's and a sketch's vector is sum_c P(c | photo) P(c | sketch), the probability that both show the same class.

    Args:
        posterior: (B, U), rows sum to 1.
        modality: Modality of the images.

    Returns:
        (B, U + 2) float32, rows of length 1.
    """
    posterior = full_precision(posterior)
    # 1 - |P|^2 as a sum of products: the difference would round where a posterior is nearly 1 for one class.
    rest = 2 * (posterior[:, 1:] * posterior.cumsum(1)[:, :-1]).sum(1, keepdim=True)
    # The floor keeps the gradient of the root finite where a posterior is 1 for one class.
    rest = rest.clamp_min(1e-6).sqrt()
    nothing = torch.zeros_like(rest)
    own = [rest if m == modality else nothing for m in MODALITIES]
    return torch.cat([posterior, *own], dim=1)


def posterior_dim(vocabulary: Vocabulary) -> int:
    """Return the length of a `posterior_vector`."""
    return len(vocabulary) + len(MODALITIES)


def own_coordinates(vocabulary: Vocabulary) -> tuple[tuple[int, int], ...]:
    """Return the coordinates of a `posterior_vector` that belong to one modality each; see `Encoder`."""
    return ((len(vocabulary), len(vocabulary) + 1),)


class PosteriorEncoder(FrozenTeacherEncoder):
    """The frozen teacher's posterior as a unit vector, `posterior_vector`; nothing trains.

    The cosine of a photo and a sketch is the probability that both show the same class. Only cosines between the
    modalities have this meaning: two photos of uncertain class lie near each other whatever they show. Beside an
    encoder that trains it stands in a `CompositeEncoder`.

    Args:
        teachers: Both teachers.
        modality: Modality of the images.
        temperature: Divides the teacher's logits before the posterior, > 0; above 1 it softens.

    Raises:
        InputError: When the temperature is out of range.
    """

    def __init__(self, teachers: TeacherPair, modality: Modality, temperature: float = 1.0) -> None:
        super().__init__(teachers, modality, posterior_dim(teachers.vocabulary), trainable_dim=0)
        must_be_in("encoder.temperature", temperature, "(0, inf)")
        self.temperature = temperature
        self.vocabulary = teachers.vocabulary

    def check_partner(self, other: Encoder) -> None:
        """Refuse a partner whose vectors are no posteriors.

        Raises:
            InputError: When the partner is no `PosteriorEncoder`.
        """
        if not isinstance(other, PosteriorEncoder):
            raise InputError(f"encoder, sketch_encoder: must be two PosteriorEncoders, got a {type(other).__name__}")

    def modality_coordinates(self) -> tuple[tuple[int, int], ...]:
        """Return the two coordinates behind the classes; see `posterior_vector`."""
        return own_coordinates(self.vocabulary)

    def posterior(self, images: Tensor, output: TeacherOutput) -> Tensor:
        """Return the teacher's posterior over the union, (B, U), rows sum to 1."""
        return self.vocabulary.union_posterior(output.logits, self.modality, self.temperature)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Embed by the posterior."""
        posterior = self.posterior(images, self.output(images, teacher))
        return Embedding(posterior_vector(posterior.detach(), self.modality), posterior=posterior.detach())
