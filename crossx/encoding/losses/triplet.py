"""Triplet loss: an image lies nearer to the other modality's images of its class than to those of other classes."""

from typing import Literal, get_args

import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.core.precision import full_precision
from crossx.encoding.embeddings import PairEmbeddings
from crossx.encoding.losses.base import EncodingLoss

Mining = Literal["all", "semi_hard", "hard"]
"""`all`: every triplet that violates the margin. `semi_hard`: of these triplets, those whose negative is farther away
than the positive. `hard`: one triplet an anchor, its farthest positive and its nearest negative."""


class TripletLoss(EncodingLoss):
    """Triplet loss across modalities in both directions (FaceNet, arXiv 1503.03832; hard mining: arXiv 1703.07737).

    An anchor is a sketch and its positives and negatives are photos, and the other way round. Positives are the photos
    whose most likely class is the sketch's most likely class; all other photos are negatives. A triplet's loss is
    max(0, margin + cosine of the negative - cosine of the positive).

    `all` and `semi_hard` list the B x B x B triplets of the pairs of all processes: some GiB at B = 1024. `hard` holds
    B x B values; it takes every anchor's extremes, so it suffers most from wrong labels of unsure teachers.

    Args:
        margin: Difference of cosines from which on a triplet costs nothing, in (0, 2].
        mining: Which triplets count.

    Raises:
        InputError: When the margin is out of range, or the mining is unknown.
    """

    def __init__(self, margin: float = 0.2, mining: Mining = "semi_hard") -> None:
        super().__init__()
        must_be_in("margin", margin, "(0, 2]")
        must_be_one_of("mining", mining, get_args(Mining))
        self.margin = margin
        self.mining = mining
        cosine = CosineSimilarity()
        self.miner = (
            BatchHardMiner(distance=cosine)
            if mining == "hard"
            else TripletMarginMiner(margin, type_of_triplets=mining.replace("_", ""), distance=cosine)
        )
        self.triplet = TripletMarginLoss(margin, distance=cosine, reducer=MeanReducer())

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean over the mined triplets, then over both directions, in [0, 2 + margin]; 0 without any."""
        x = embeddings.gathered()
        photo, sketch = full_precision(x.photo), full_precision(x.sketch)
        with torch.autocast(photo.device.type, enabled=False):
            to_photo = self._mean(sketch, x.sketch_class, photo, x.photo_class)
            to_sketch = self._mean(photo, x.photo_class, sketch, x.sketch_class)
        return (to_photo + to_sketch) / 2

    def _mean(self, anchors: Tensor, anchor_class: Tensor, others: Tensor, other_class: Tensor) -> Tensor:
        triplets = self.miner(anchors, anchor_class, others, other_class)
        mean: Tensor = self.triplet(anchors, anchor_class, triplets, others, other_class)
        return mean
