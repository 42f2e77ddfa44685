"""An encoder's guess of its teacher's features is to be right."""

import torch
from torch import Tensor

from crossx.core.distributed import mean_over_processes
from crossx.core.precision import full_precision
from crossx.encoding.embeddings import PairEmbeddings
from crossx.encoding.losses.base import EncodingLoss


class FeatureDistillationLoss(EncodingLoss):
    """Feature distillation (FitNets, arXiv 1412.6550) of each teacher, for encoders that guess features.

    `StudentEncoder` does. A posterior is a few numbers an image, features are hundreds: a network that starts at random
    learns faster from them.
    """

    needs_features = True

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean of both modalities' squared error as a share of the features' mean square, >= 0.

        1 is what guessing 0 costs, whatever scale a teacher's features have.
        """
        losses = []
        for pair in embeddings.features:
            wanted = full_precision(pair.teacher.detach())
            error = mean_over_processes((full_precision(pair.predicted) - wanted).square().mean())
            size = mean_over_processes(wanted.square().mean())
            losses.append(error / size.clamp_min(torch.finfo(size.dtype).tiny))
        return torch.stack(losses).mean()
