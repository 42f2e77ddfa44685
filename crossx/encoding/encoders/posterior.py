"""Posterior matching as an encoder, and what a trained head adds to it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.encoding.encoders.base import Encoder
from crossx.encoding.encoders.teacher import TeacherHeadEncoder
from crossx.teachers.pair import TeacherPair
from crossx.teachers.vocabulary import Vocabulary
from crossx.types import MODALITIES, Modality, TeacherOutput


def posterior_vector(posterior: Tensor, modality: Modality) -> Tensor:
    """A posterior as a unit vector.

    What its length lacks stands on a coordinate that the other modality leaves 0, so that the cosine of a photo's and a
    sketch's vector is sum_c P(c | photo) P(c | sketch), the probability that both show the same class.

    Args:
        posterior: (B, U), rows sum to 1.
        modality: Whose.

    Returns:
        (B, U + 2) float32, rows of length 1.
    """
    posterior = full_precision(posterior)
    # The floor keeps the gradient of the root finite where a teacher is entirely sure.
    rest = (1 - posterior.square().sum(1, keepdim=True)).clamp_min(1e-6).sqrt()
    nothing = torch.zeros_like(rest)
    own = [rest if m == modality else nothing for m in MODALITIES]
    return torch.cat([posterior, *own], dim=1)


def posterior_dim(vocabulary: Vocabulary) -> int:
    """Length of a `posterior_vector`."""
    return len(vocabulary) + len(MODALITIES)


class PosteriorEncoder(TeacherHeadEncoder):
    """The frozen teacher's posterior beside a trained head on its features, in one unit vector.

    With s the `share`, the cosine of a photo and a sketch is s times the probability that both show the same class
    (`posterior_vector`) plus 1 - s times the cosine of the heads' unit vectors. Both sides of a module need it, with
    one share and one length of the head. Only cosines between the modalities have this meaning: two photos of which the
    teacher is unsure lie near each other whatever they show.

    No gradient passes through the posterior, because it does not learn, and an adversary is shown the head's vector
    alone: it is to find what is hard for the head, and not what makes the teacher unsure.

    Args:
        share: s, in (0, 1).
        temperature: Divides the teacher's logits before the posterior, > 0; above 1 it softens.
        dim: Length of the head's vector; the embedding's D is this plus the classes of the union plus 2.
        hidden: Width of the head's hidden layer; 0 for a linear head.

    Raises:
        InputError: When the share or the temperature is out of range.
    """

    def __init__(self, share: float = 0.97, temperature: float = 1.0, dim: int = 64, hidden: int = 512) -> None:
        super().__init__(dim, hidden)
        if not 0 < share < 1:
            raise InputError(f"encoder.share: {share} is not legal; above 0 and below 1")
        if not temperature > 0:
            raise InputError(f"encoder.temperature: {temperature} is not legal; above 0")
        self.share, self.temperature = share, temperature
        self.head_dim = dim
        self._vocabulary: Vocabulary | None = None
        self._modality: Modality = "photo"

    def start_from(self, teachers: TeacherPair, modality: Modality) -> None:
        """Take the teacher and the classes; both stay out of the checkpoint."""
        self.dim = self.head_dim  # the head's, also where the encoder has been started before
        super().start_from(teachers, modality)
        self._vocabulary, self._modality = teachers.vocabulary, modality
        self.dim = self.head_dim + posterior_dim(teachers.vocabulary)

    def check_partner(self, other: Encoder) -> None:
        """Refuse a partner whose vectors are put together in another way.

        Raises:
            InputError: When it is no `PosteriorEncoder` with this one's share and head.
        """
        if not isinstance(other, PosteriorEncoder) or (other.share, other.head_dim) != (self.share, self.head_dim):
            raise InputError(
                f"photo_encoder, sketch_encoder: {type(other).__name__} is not legal beside PosteriorEncoder(share: "
                f"{self.share}, dim: {self.head_dim}); a PosteriorEncoder with the same share and dim"
            )

    @property
    def learned_dim(self) -> int:
        """The head's."""
        return self.head_dim

    def learned(self, embedding: Tensor) -> Tensor:
        """The head's unit vectors."""
        return F.normalize(embedding[:, -self.head_dim :], dim=1)

    @property
    def vocabulary(self) -> Vocabulary:
        """The classes of both teachers."""
        if self._vocabulary is None:
            raise RuntimeError("start_from() comes before the first use")
        return self._vocabulary

    def posterior(self, images: Tensor, output: TeacherOutput) -> Tensor:
        """What stands beside the head's vector, (B, U), rows sum to 1: the teacher's posterior over the union."""
        return self.vocabulary.union_posterior(output.logits, self._modality, self.temperature)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Tensor:
        """Put posterior and head's vector side by side."""
        output = self.output(images, teacher)
        sure = posterior_vector(self.posterior(images, output).detach(), self._modality)
        learned = F.normalize(full_precision(self.head(output.features)), dim=1)
        return torch.cat([self.share**0.5 * sure, (1 - self.share) ** 0.5 * learned], dim=1)
