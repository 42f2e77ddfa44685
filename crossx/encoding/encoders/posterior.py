"""Encoder that embeds by the teacher's posterior and a trained head."""

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.encoding.embeddings import Embedding
from crossx.encoding.encoders.base import EmbeddingHead, Encoder
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
    # The floor keeps the gradient of the root finite where a posterior is 1 for one class.
    rest = (1 - posterior.square().sum(1, keepdim=True)).clamp_min(1e-6).sqrt()
    nothing = torch.zeros_like(rest)
    own = [rest if m == modality else nothing for m in MODALITIES]
    return torch.cat([posterior, *own], dim=1)


def posterior_dim(vocabulary: Vocabulary) -> int:
    """Return the length of a `posterior_vector`."""
    return len(vocabulary) + len(MODALITIES)


class PosteriorEncoder(FrozenTeacherEncoder):
    """The frozen teacher's posterior beside a trained head on its features, in one unit vector.

    With s the `share`, the cosine of a photo and a sketch is s times the probability that both show the same class
    (`posterior_vector`) plus 1 - s times the cosine of the heads' unit vectors. Both modalities
    need such an encoder, with the same share and the same length of the head. Only cosines between the modalities have
    this meaning: two photos of uncertain class lie near each other whatever they show.

    The posterior has no gradient, because it has no trainable parameters, and a critic gets the head's vector alone:
    generators are to find images that are hard for the head, and not images that make the teacher unsure.

    Args:
        teachers: Both teachers.
        modality: Modality of the images.
        share: s, in (0, 1).
        temperature: Divides the teacher's logits before the posterior, > 0; above 1 it softens.
        dim: Length of the head's vector; the embedding's D is this plus the classes of the union plus 2.
        hidden: Width of the head's hidden layer; 0 for a linear head.

    Raises:
        InputError: When a number is out of range.
    """

    trains_wholly = False

    def __init__(
        self,
        teachers: TeacherPair,
        modality: Modality,
        share: float = 0.97,
        temperature: float = 1.0,
        dim: int = 64,
        hidden: int = 512,
    ) -> None:
        super().__init__(teachers, modality, dim + posterior_dim(teachers.vocabulary))
        must_be_in("encoder.share", share, "(0, 1)")
        must_be_in("encoder.temperature", temperature, "(0, inf)")
        self.share, self.temperature = share, temperature
        self.head_dim = dim
        self.head = EmbeddingHead(self.teacher.network.num_features, dim, hidden)
        self.vocabulary = teachers.vocabulary

    def check_partner(self, other: Encoder) -> None:
        """Refuse a partner whose vectors are put together in another way.

        Raises:
            InputError: When the partner is no `PosteriorEncoder` with this one's share and head.
        """
        if not isinstance(other, PosteriorEncoder) or (other.share, other.head_dim) != (self.share, self.head_dim):
            raise InputError(
                f"encoder, sketch_encoder: must be two PosteriorEncoders with share {self.share} and dim "
                f"{self.head_dim}, got a {type(other).__name__}"
            )

    def posterior(self, images: Tensor, output: TeacherOutput) -> Tensor:
        """Return the teacher's posterior over the union, (B, U), rows sum to 1."""
        return self.vocabulary.union_posterior(output.logits, self.modality, self.temperature)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Put the posterior and the head's vector side by side."""
        output = self.output(images, teacher)
        posterior = posterior_vector(self.posterior(images, output).detach(), self.modality)
        head = F.normalize(full_precision(self.head(output.features)), dim=1)
        vector = torch.cat([self.share**0.5 * posterior, (1 - self.share) ** 0.5 * head], dim=1)
        return Embedding(vector, trainable=head)

    def embed_for_critic(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Embed by the head alone: the posterior, whose computation may run the other teacher, is left out."""
        head = F.normalize(full_precision(self.head(self.output(images, teacher).features)), dim=1)
        return Embedding(head, trainable=head)
