"""A pair is hard when an image of another class lies nearer than the partner."""

from torch import Tensor

from crossx.core.distributed import gather
from crossx.core.precision import full_precision
from crossx.encoding.critics.base import PairCritic
from crossx.encoding.critics.distance import relative_distance
from crossx.encoding.losses.base import PairEmbeddings
from crossx.encoding.losses.matrices import products
from crossx.types import Criticism, Reduce


def distances(query: Tensor, keys: Tensor, least_cosine: float) -> Tensor:
    """`relative_distance` of each query, (B, D), to each key, (N, D): (B, N)."""
    return relative_distance(products(query, keys), least_cosine)


def nearest_wrong(distance: Tensor, query_class: Tensor, key_class: Tensor) -> Tensor:
    """Distance of each query to the nearest key of another class.

    Args:
        distance: (B, N) in [0, 1].
        query_class: (B,) int64.
        key_class: (N,) int64.

    Returns:
        (B,) in [0, 1]; 1, the largest there is, for a query without keys of another class.
    """
    same = query_class[:, None] == key_class[None, :]
    return distance.masked_fill(same, 1).amin(dim=1)


class MarginCritic(PairCritic):
    """How much nearer the nearest wrong image is than the partner, in both directions.

    With d the `relative_distance`, an image has the disagreement (1 + d(partner) - d(nearest wrong)) / 2: above 1/2
    where a search would find an image of another class before the partner. Classes are those that the teachers find
    most likely; wrong images are those of the other modality in the batch.

    Args:
        reduce: `global` looks for the nearest wrong image in the batches of all processes together.
    """

    def __init__(self, reduce: Reduce = "global") -> None:
        super().__init__()
        self.reduce: Reduce = reduce

    def forward(self, embeddings: PairEmbeddings) -> Criticism:
        """Return the mean of both directions' disagreements."""
        photo, sketch = embeddings.photo, embeddings.sketch
        photo_class, sketch_class = embeddings.photo_class, embeddings.sketch_class
        photos, photo_classes = gather(photo, self.reduce), gather(photo_class, self.reduce)
        sketches, sketch_classes = gather(sketch, self.reduce), gather(sketch_class, self.reduce)
        least = embeddings.least_cosine
        of_photo = nearest_wrong(distances(photo, sketches, least), photo_class, sketch_classes)
        of_sketch = nearest_wrong(distances(sketch, photos, least), sketch_class, photo_classes)
        partner = relative_distance((full_precision(photo) * full_precision(sketch)).sum(dim=1), least)
        return Criticism((1 + partner - (of_photo + of_sketch) / 2) / 2)
