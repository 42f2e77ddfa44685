"""Photos of a class lie together among the photos, and sketches of a class among the sketches."""

import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.encoding.losses.base import EncodingLoss, PairEmbeddings
from crossx.encoding.losses.matrices import products, without_self
from crossx.types import Reduce


def intra_modal(vectors: Tensor, weight: Tensor, temperature: float) -> Tensor:
    """Supervised contrast within one set, with weighted positives and without self-pairs.

    Args:
        vectors: Unit vectors, (B, D).
        weight: How much j is a positive of i, (B, B) >= 0; the diagonal is not read.
        temperature: Divides the cosines.

    Returns:
        Scalar >= 0 in nats, the mean over i of - sum_j w_ij log softmax_j(x_i . x_j / T) / sum_j w_ij with j != i in
        both sums; a row without any positive contributes 0.
    """
    log_posterior = torch.log_softmax(without_self(products(vectors, vectors)) / temperature, dim=1)
    weight = without_self(weight)
    weight = weight / weight.sum(dim=1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
    return -(weight * log_posterior).sum(dim=1).mean()


class IntraModalLoss(EncodingLoss):
    """Supervised contrast within each modality (arXiv 2004.11362), with soft positives.

    Two photos are positives as far as the photo teacher gives both the same class, w = <posterior, posterior>; likewise
    for sketches and their teacher. It says nothing about a sketch and a photo, so it stands beside a cross-modal term.

    Args:
        temperature: Divides the cosines, > 0.
        reduce: `global` contrasts the images of all processes together.
        sharpness: Power of the weights, > 0; above 1, images that the teacher is sure of count for more.

    Raises:
        InputError: When the temperature or the sharpness is not positive.
    """

    def __init__(self, temperature: float = 0.07, reduce: Reduce = "global", sharpness: float = 1.0) -> None:
        super().__init__()
        if not sharpness > 0:
            raise InputError(f"sharpness: {sharpness} is not above 0")
        if not temperature > 0:
            raise InputError(f"temperature: {temperature} is not above 0")
        self.temperature = temperature
        self.reduce: Reduce = reduce
        self.sharpness = sharpness

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean of both modalities' `intra_modal`, >= 0 in nats."""
        x = embeddings.gathered(self.reduce)
        losses = [
            intra_modal(vectors, products(posterior, posterior) ** self.sharpness, self.temperature)
            for vectors, posterior in ((x.photo, x.photo_posterior), (x.sketch, x.sketch_posterior))
        ]
        return torch.stack(losses).mean()
