"""Batches should hold all classes alike, and enough of the classes that both teachers know."""

from functools import lru_cache

import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.distributed import mean_over_processes
from crossx.core.precision import full_precision
from crossx.core.tables import Table
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss
from crossx.teachers.vocabulary import Vocabulary
from crossx.types import Modality


def negative_entropy(logits: Tensor, prior: Tensor | None = None) -> Tensor:
    """Negative entropy of the batch-mean posterior, relative to a prior.

    Args:
        logits: (B, K).
        prior: Probability > 0 of each class, (K,); None for 1 / K.

    Returns:
        Scalar >= -log K, natural logarithm: the Kullback-Leibler divergence of the batch-mean posterior from the prior
        less log K, lowest when the two are equal. For the uniform prior this is the negative entropy.
    """
    mean = mean_over_processes(torch.softmax(full_precision(logits), dim=1).mean(dim=0))
    # The clamp keeps both the value and the gradient finite for a class whose probability underflows to 0.
    negative = (mean * mean.clamp_min(torch.finfo(mean.dtype).tiny).log()).sum()
    if prior is None:
        return negative
    return negative - (mean * (len(prior) * prior.to(mean)).log()).sum()


def class_prior(shared: Tensor, share: float) -> Tensor | None:
    """Prior in which the shared classes together have at least a share, evenly within the two groups.

    Args:
        shared: Whether the other teacher knows each class, (K,) bool.
        share: The share, in [0, 1).

    Returns:
        (K,); None, which stands for the uniform prior, where the shared classes are at least that share of all classes.
    """
    count, total = int(shared.sum()), len(shared)
    if count >= share * total:
        return None
    return torch.where(shared, share / count, (1 - share) / (total - count))


class InformationEntropyLoss(ReconstructionLoss):
    """Class balance within a batch (information entropy loss of DAFL, arXiv 1904.01186, with natural logarithms).

    Encoders learn from images of the classes that both teachers know. Where these are few among a teacher's classes,
    an even balance would leave hardly any image for them, so the balance is a prior with a share for them.

    Args:
        shared: Least share, in [0, 1), of the images of each teacher that is for the classes that both teachers know;
            0 balances all classes evenly. A teacher whose shared classes are at least this share of its classes has
            all of them evenly.

    Raises:
        InputError: When the share is out of range.
    """

    def __init__(self, shared: float = 0.5) -> None:
        super().__init__()
        must_be_in("shared", shared, "[0, 1)")
        self.shared = shared

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean of both modalities' `negative_entropy`, each over its teacher's classes, in nats."""
        losses = []
        for modality, teacher in reconstruction.teachers.items():
            prior = _prior(reconstruction.vocabulary, modality, self.shared)
            of_device = None if prior is None else prior.on(teacher.logits.device)
            losses.append(negative_entropy(teacher.logits, of_device))
        return torch.stack(losses).mean()


@lru_cache(maxsize=8)  # a run has one vocabulary, and two priors
def _prior(vocabulary: Vocabulary, modality: Modality, share: float) -> Table | None:
    prior = class_prior(vocabulary.is_shared(modality), share)
    return None if prior is None else Table(prior)
