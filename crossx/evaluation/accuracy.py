"""Accuracy of a classifier on labelled images, beside what chance would give."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_Z = 2.5758
"""Half width of a 99 % interval of the normal distribution, in standard deviations."""


@dataclass(frozen=True)
class ClassifierAccuracy:
    """Accuracy of a classifier among some classes.

    Attributes:
        accuracy: Share of the images that the classifier names right, in [0, 1].
        images: Number of images.
        classes: Number of classes that the classifier chose from.
        chance: Accuracy of the same answers given to the images in another order, in [0, 1]; 1 / classes where all
            images are of one class.
    """

    accuracy: float
    images: int
    classes: int
    chance: float

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds of the accuracy that images of the same kind would have, with 99 % confidence (Wilson's interval)."""
        n, squared = self.images, _Z**2
        middle = (self.accuracy + squared / (2 * n)) / (1 + squared / n)
        half = _Z * math.sqrt(self.accuracy * (1 - self.accuracy) / n + squared / (4 * n * n)) / (1 + squared / n)
        return middle - half, middle + half

    @property
    def at_chance(self) -> bool:
        """Whether the classifier knows next to nothing of these images.

        Its accuracy is then not above chance with 99 % confidence, or above it by less than a tenth of what a perfect
        classifier gains and by less than chance itself; and the images are enough to exclude that it gains half of
        what a perfect one does.
        """
        low, high = self.interval
        small = min(self.chance, (1 - self.chance) / 10)
        nothing = low <= self.chance or self.accuracy < self.chance + small
        return nothing and high < (1 + self.chance) / 2


def classifier_accuracy(predicted: Tensor, labels: Tensor, classes: int) -> ClassifierAccuracy | None:
    """Compare the answers of a classifier with the labels.

    Args:
        predicted: Class that the classifier finds most likely, (N,) int64.
        labels: True class, (N,) int64, each one of those that the classifier chose from.
        classes: Number of classes that the classifier chose from.

    Returns:
        The accuracy; None without images, or where there is only one class to choose.
    """
    n = len(labels)
    if n == 0 or classes < 2:
        return None
    several = bool((labels != labels[0]).any())
    size = 1 + int(torch.cat([predicted, labels]).max())
    answers, truths = (torch.bincount(x, minlength=size).double() / n for x in (predicted, labels))
    chance = float((answers * truths).sum()) if several else 1 / classes
    return ClassifierAccuracy(float((predicted == labels).double().mean()), n, classes, chance)
