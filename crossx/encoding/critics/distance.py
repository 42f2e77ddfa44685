"""A pair is hard when its photo and its sketch lie apart."""

from torch import Tensor

from crossx.encoding.critics.base import PairCritic
from crossx.encoding.losses.base import PairEmbeddings
from crossx.objective import full_precision
from crossx.types import Criticism


def half_cosine_distance(photo: Tensor, sketch: Tensor) -> Tensor:
    """(1 - cosine) / 2, which for unit vectors is a quarter of the squared Euclidean distance.

    Args:
        photo: Unit vectors, (..., D).
        sketch: Unit vectors, (..., D).

    Returns:
        (...) in [0, 1]: 0 in one place, 1 in opposite ones.
    """
    cosine = (full_precision(photo) * full_precision(sketch)).sum(dim=-1)
    return ((1 - cosine) / 2).clamp(0, 1)


class DistanceCritic(PairCritic):
    """The distance between the photo and the sketch of a pair; it needs no classes."""

    def forward(self, embeddings: PairEmbeddings) -> Criticism:
        """Return `half_cosine_distance` of each pair."""
        return Criticism(half_cosine_distance(embeddings.photo, embeddings.sketch))
