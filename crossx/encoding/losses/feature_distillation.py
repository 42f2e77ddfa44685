"""An encoder's guess of its teacher's features is to be right."""

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.encoding.losses.base import EncodingLoss, PairEmbeddings
from crossx.errors import InputError
from crossx.objective import full_precision


class FeatureDistillationLoss(EncodingLoss):
    """Feature distillation (FitNets, arXiv 1412.6550) of each teacher, for encoders that guess features.

    `StudentEncoder` does. A posterior is a few numbers an image, features are hundreds: a network that starts at random
    learns several times as fast from them.
    """

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean squared error as a share of the features' variance in the batch, >= 0.

        1 is what guessing the batch's mean costs, whatever scale a teacher's features have. Each process sees its own
        batch.

        Raises:
            InputError: When no encoder guesses features.
        """
        if not embeddings.hints:
            raise InputError(
                "model.encoding.terms: FeatureDistillationLoss has nothing to compare: neither encoder guesses its "
                "teacher's features; use it with StudentEncoder"
            )
        losses = []
        for hint in embeddings.hints:
            wanted = full_precision(hint.features.detach())
            # A single image, or equal ones, vary by nothing.
            variance = wanted.var(dim=0, correction=0).mean().clamp_min(1e-6)
            losses.append(F.mse_loss(full_precision(hint.guess), wanted) / variance)
        return torch.stack(losses).mean()
