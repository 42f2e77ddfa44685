"""What a classifier's predictions on images tell, with and without labels."""

from dataclasses import dataclass
from math import exp

import torch
from torch import Tensor


def mutual_information(logits: Tensor) -> float:
    """Mutual information of image and predicted class, in nats.

    The entropy of the mean posterior minus the mean entropy of the posteriors ("Unsupervised Classifiers, Mutual
    Information and 'Phantom Targets'", Bridle et al., NIPS 1991). It is large where each image has a confident
    prediction and different images have different ones, so it tells without a label whether a classifier understands
    its images. Confidence alone does not: a classifier may be confident of blank paper.

    Args:
        logits: (B, K).

    Returns:
        A number in [0, log min(B, K)].
    """
    posterior = torch.softmax(logits.double(), dim=1)
    return float(_entropy(posterior.mean(dim=0)) - _entropy(posterior).mean())


def _entropy(p: Tensor) -> Tensor:
    return -torch.special.xlogy(p, p).sum(dim=-1)


@dataclass(frozen=True)
class PredictionSummary:
    """Summary of a classifier's predictions on images.

    Attributes:
        images: Number of images, B.
        confidence: Mean probability of the predicted class, in [0, 1].
        spread: Number of classes over which the predictions spread: the exponential of the entropy of the mean
            posterior, in [1, K].
        mutual_information: See `mutual_information`, in nats.
        labelled: Number of images whose class is known.
        accuracy: Share of those that are predicted right; None where there are none.
        chance: Accuracy of the best constant prediction on them; None where there are none.
    """

    images: int
    confidence: float
    spread: float
    mutual_information: float
    labelled: int = 0
    accuracy: float | None = None
    chance: float | None = None

    @property
    def at_chance(self) -> bool:
        """Whether the accuracy cannot be told from that of a constant prediction, by two standard errors."""
        if self.accuracy is None or self.chance is None:
            return False
        error: float = (self.chance * (1 - self.chance) / self.labelled) ** 0.5
        return self.accuracy <= self.chance + 2 * error


def summarise(logits: Tensor, labels: Tensor | None = None) -> PredictionSummary:
    """Summarise predictions.

    Args:
        logits: (B, K).
        labels: Class of each image, (B,) int64, -1 where it is unknown; None where all are.
    """
    posterior = torch.softmax(logits.double(), dim=1)
    confidence, predicted = posterior.max(dim=1)
    spread = exp(float(_entropy(posterior.mean(dim=0))))
    summary = (len(logits), float(confidence.mean()), spread, mutual_information(logits))
    known = torch.zeros(len(logits), dtype=torch.bool) if labels is None else labels >= 0
    if labels is None or not known.any():
        return PredictionSummary(*summary)
    right = float((predicted == labels)[known].double().mean())
    chance = float(labels[known].bincount().max()) / int(known.sum())
    return PredictionSummary(*summary, int(known.sum()), right, chance)
