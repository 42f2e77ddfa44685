"""Distance of predicted features to the teacher's features."""

import torch
from torch import Tensor

from crossx.core.distributed import mean_over_processes
from crossx.core.precision import full_precision
from crossx.encoding.embeddings import PairEmbeddings
from crossx.encoding.losses.base import EncodingLoss


class FeatureDistillationLoss(EncodingLoss):
    """Feature distillation (FitNets, arXiv 1412.6550) of each teacher, for encoders that predict features.

    `StudentEncoder` is one. A posterior is a few numbers an image, features are hundreds: a network that starts at
    random learns faster from features.
    """

    needs_features = True

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean of both modalities' squared error as a share of the features' mean square, >= 0.

        The value is 1 where all predictions are 0, whatever the scale of a teacher's features.
        """
        losses = []
        for pair in embeddings.features:
            features = full_precision(pair.teacher.detach())
            error = mean_over_processes((full_precision(pair.predicted) - features).square().mean())
            size = mean_over_processes(features.square().mean())
            losses.append(error / size.clamp_min(torch.finfo(size.dtype).tiny))
        return torch.stack(losses).mean()
