"""A pair is hard when its photo and its sketch lie apart."""

from torch import Tensor

from crossx.core.precision import full_precision
from crossx.encoding.critics.base import PairCritic
from crossx.encoding.embeddings import PairEmbeddings
from crossx.types import CriticOutput


def relative_distance(cosine: Tensor, least_cosine: float) -> Tensor:
    """Cosine distance as a share of the largest possible one.

    For unit vectors and a least cosine of -1 it is a quarter of the squared Euclidean distance.

    Args:
        cosine: (...).
        least_cosine: In [-1, 1).

    Returns:
        (...) in [0, 1]: 0 for equal directions, 1 at the least cosine.
    """
    return ((1 - full_precision(cosine)) / (1 - least_cosine)).clamp(0, 1)


class DistanceCritic(PairCritic):
    """The distance between the photo and the sketch of a pair; no classes are needed."""

    bounded_cosine = True

    def forward(self, embeddings: PairEmbeddings) -> CriticOutput:
        """Return the `relative_distance` of each pair."""
        cosine = (full_precision(embeddings.photo) * full_precision(embeddings.sketch)).sum(dim=1)
        return CriticOutput(relative_distance(cosine, embeddings.least_cosine))
