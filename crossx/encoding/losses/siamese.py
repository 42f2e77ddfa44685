"""Contrastive loss: a sketch lies near the photos of its class, and at least a margin away from all others."""

from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.encoding.embeddings import PairEmbeddings
from crossx.encoding.losses.base import EncodingLoss
from crossx.encoding.losses.matrices import similarity, weighted_mean


def contrastive(sketch: Tensor, photo: Tensor, same: Tensor, margin: float) -> Tensor:
    """Contrastive loss of all cross-modal pairs.

    Args:
        sketch: Unit vectors, (B, D).
        photo: Unit vectors, (N, D).
        same: Which sketches and photos are of one class, (B, N) bool.
        margin: Cosine distance from which on different classes cost nothing, in (0, 2].

    Returns:
        Scalar in [0, 2 + margin]: the mean distance of the positives plus the mean violation of the negatives.
    """
    distance = 1 - similarity(sketch, photo)
    positive = same.to(distance.dtype)
    return weighted_mean(distance, positive) + weighted_mean((margin - distance).relu(), 1 - positive)


class SiameseLoss(EncodingLoss):
    """Contrastive loss with a margin ("Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006).

    With d = 1 - cosine of a sketch and a photo, all B x B cross-modal pairs of a batch count: d where both teachers'
    most likely classes agree, max(0, margin - d) where they differ. Positives and negatives are averaged separately, so
    that the many negatives do not outweigh the few positives. The paper squares both parts; without squares the
    gradient of a positive pair does not fade as its distance does. The loss is the same in both directions.

    (The loss of pytorch-metric-learning gives the photos of a batch of one pair no gradient, which DDP waits for.)

    Args:
        margin: Cosine distance from which on different classes cost nothing, in (0, 2]: 1 is a right angle.

    Raises:
        InputError: When the margin is out of range.
    """

    def __init__(self, margin: float = 0.5) -> None:
        super().__init__()
        must_be_in("margin", margin, "(0, 2]")
        self.margin = margin

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return `contrastive` of the batch, in [0, 2 + margin]."""
        x = embeddings.gathered()
        return contrastive(x.sketch, x.photo, x.sketch_class[:, None] == x.photo_class[None, :], self.margin)
