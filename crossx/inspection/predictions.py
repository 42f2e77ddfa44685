"""What a classifier's predictions on images tell, with and without labels."""

from dataclasses import dataclass, replace
from math import exp

import torch
from torch import Tensor

from crossx.evaluation.accuracy import ClassifierAccuracy, classifier_accuracy


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
    return float(entropy(posterior.mean(dim=0)) - entropy(posterior).mean())


def entropy(p: Tensor) -> Tensor:
    """Entropy of distributions over classes in nats, (..., K) -> (...)."""
    found: Tensor = -torch.special.xlogy(p, p).sum(dim=-1)
    return found


@dataclass(frozen=True)
class PredictionSummary:
    """Summary of a classifier's predictions on images.

    Attributes:
        images: Number of images, B.
        confidence: Mean probability of the predicted class, in [0, 1].
        spread: Number of classes over which the predictions spread: the exponential of the entropy of the mean
            posterior, in [1, K].
        mutual_information: See `mutual_information`, in nats.
        accuracy: Accuracy on the images whose class is known, among the classes that occur; None without such images,
            and where they are of one class.
        accuracy_of_all: Accuracy on the same images among all classes of the classifier; None without such images.
    """

    images: int
    confidence: float
    spread: float
    mutual_information: float
    accuracy: ClassifierAccuracy | None = None
    accuracy_of_all: ClassifierAccuracy | None = None


def summarise(logits: Tensor, labels: Tensor | None = None) -> PredictionSummary:
    """Summarise predictions.

    Args:
        logits: (B, K).
        labels: Class of each image, (B,) int64, -1 where it is unknown; None where all are.
    """
    posterior = torch.softmax(logits.double(), dim=1)
    spread = exp(float(entropy(posterior.mean(dim=0))))
    confidence = float(posterior.max(dim=1).values.mean())
    summary = PredictionSummary(len(logits), confidence, spread, mutual_information(logits))
    if labels is None or not (known := labels >= 0).any():
        return summary
    logits, labels = logits[known], labels[known]
    of_all = classifier_accuracy(logits.argmax(dim=1), labels, logits.shape[1])
    return replace(summary, accuracy=_accuracy(logits, labels), accuracy_of_all=of_all)


def _accuracy(logits: Tensor, labels: Tensor) -> ClassifierAccuracy | None:
    """Accuracy among the classes that occur, as beside the results of a run."""
    occur = torch.tensor(sorted(set(labels.tolist())))
    return classifier_accuracy(occur[logits[:, occur].argmax(dim=1)], labels, len(occur))
