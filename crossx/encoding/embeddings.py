"""Embeddings of one encoder, embedded pairs of both encoders, and the space that both embed into."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from crossx.core.distributed import gather
from crossx.core.precision import full_precision
from crossx.teachers.pair import TeacherPair


@dataclass(frozen=True)
class EmbeddingSpace:
    """The space that both encoders embed into; losses and critics may take it as the first argument of a constructor.

    Attributes:
        teachers: Both teachers and the vocabulary that joins their classes.
        dim: D, length of the embeddings that objectives and critics get.
    """

    teachers: TeacherPair
    dim: int


@dataclass
class Embedding:
    """Embeddings of B images, as an encoder returns them.

    Attributes:
        vector: Embeddings of any length, (B, D).
        features: Predicted features of the teacher, (B, F); None for an encoder that predicts none.
        posterior: Posterior over the union, (B, U); None for an encoder that does not embed by one.
    """

    vector: Tensor
    features: Tensor | None = None
    posterior: Tensor | None = None

    @property
    def unit(self) -> Tensor:
        """Unit vectors, (B, D) float32."""
        return F.normalize(full_precision(self.vector), dim=1)


@dataclass
class FeaturePair:
    """Features of a teacher and an encoder's prediction of them.

    Attributes:
        predicted: (B, F), with gradient.
        teacher: (B, F).
    """

    predicted: Tensor
    teacher: Tensor


@dataclass
class PairEmbeddings:
    """Embedded pairs, row i of everything belonging to pair i, with the teachers' posteriors of their images.

    Attributes:
        photo: Photo embeddings of unit length, (B, D).
        sketch: Sketch embeddings of unit length, (B, D).
        photo_posterior: The photo teacher's posterior over the union, (B, U), rows sum to 1.
        sketch_posterior: The sketch teacher's posterior over the union, (B, U), rows sum to 1.
        target: Class of the pair (with data, the true class) as an index into the union, (B,) int64; of the pair also
            where random views with other content are embedded.
        features: One entry for each encoder that predicts its teacher's features.
        least_cosine: The smallest cosine that a photo and a sketch can have, in [-1, 1).
    """

    photo: Tensor
    sketch: Tensor
    photo_posterior: Tensor
    sketch_posterior: Tensor
    target: Tensor
    features: tuple[FeaturePair, ...] = ()
    least_cosine: float = -1.0

    @property
    def photo_class(self) -> Tensor:
        """Most likely class of each photo by its teacher, as an index into the union, (B,) int64."""
        return self.photo_posterior.argmax(dim=1)

    @property
    def sketch_class(self) -> Tensor:
        """Most likely class of each sketch by its teacher, as an index into the union, (B,) int64."""
        return self.sketch_posterior.argmax(dim=1)

    def gathered(self) -> "PairEmbeddings":
        """Return the pairs of all processes in rank order, embeddings with gradient and posteriors without.

        Features stay behind: a loss that compares an image with itself needs no other process.
        """
        return PairEmbeddings(
            photo=gather(self.photo),
            sketch=gather(self.sketch),
            photo_posterior=gather(self.photo_posterior.detach()),
            sketch_posterior=gather(self.sketch_posterior.detach()),
            target=gather(self.target),
            least_cosine=self.least_cosine,
        )
