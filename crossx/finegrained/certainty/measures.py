"""Measures of how well certainties tell true sketches from drawings, as pure functions of numbers."""

import torch
from torch import Tensor

TEMPERATURES = (0.05, 20.0)
"""Bounds of a temperature: beyond them all pairs that it is fitted to are judged right, or no better than by chance."""
_HALVINGS = 60


def area_under_curve(real: Tensor, generated: Tensor) -> float:
    """Area under the ROC curve: the share of (real, generated) couples in which the real one scores higher.

    Args:
        real: Scores of true pairs, (N,), N >= 1.
        generated: Scores of generated pairs, (M,), M >= 1.

    Returns:
        In [0, 1]; equal scores count one half, so that 0.5 says nothing.
    """
    difference = real.double()[:, None] - generated.double()[None]
    return float((difference > 0).double().mean() + 0.5 * (difference == 0).double().mean())


def spearman(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation; equal values share their mean rank.

    Args:
        a: (N,), N >= 2.
        b: (N,).

    Returns:
        In [-1, 1]; 0 where one of both has a single value, which orders nothing.
    """
    ranks = torch.stack([_mean_ranks(a), _mean_ranks(b)])
    centred = ranks - ranks.mean(1, keepdim=True)
    norms = centred.norm(dim=1)
    return float(centred[0] @ centred[1] / norms.prod()) if norms.min() > 0 else 0.0


def _mean_ranks(values: Tensor) -> Tensor:
    """Rank of each value among all, (N,) float64; equal values have the mean of their ranks."""
    below = (values[None] < values[:, None]).double().sum(1)
    equal = (values[None] == values[:, None]).double().sum(1)
    return below + (equal - 1) / 2


def fit_temperature(logits: Tensor, real: Tensor) -> float:
    """Temperature that makes sigmoid(logit / temperature) the likeliest probability of a true pair.

    Temperature scaling ("On Calibration of Modern Neural Networks", arXiv 1706.04599) of a classifier of two classes.

    Args:
        logits: Logits of pairs that the classifier was not trained on, (N,), N >= 1.
        real: Whether each pair is true, (N,) bool.

    Returns:
        The temperature, within `TEMPERATURES`.
    """
    x, y = logits.double(), real.double()
    # The negative log-likelihood is convex in the inverse temperature: its derivative has one zero, found by halving.
    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        slope = float((x * (torch.sigmoid(middle * x) - y)).mean())
        low, high = (low, middle) if slope > 0 else (middle, high)
    return 2 / (low + high)


def reliability(certainty: Tensor, real: Tensor, bins: int = 10) -> list[tuple[float, float, int]]:
    """Compare certainties with what they promise, in bins of equal width.

    Args:
        certainty: Probability of a true pair, (N,) in [0, 1].
        real: Whether each pair is true, (N,) bool.
        bins: Number of bins.

    Returns:
        For each bin that has pairs: its mean certainty, its share of true pairs, and the number of its pairs.
    """
    place = (certainty * bins).long().clamp(0, bins - 1)
    found = []
    for i in range(bins):
        here = place == i
        if here.any():
            found.append((float(certainty[here].mean()), float(real[here].float().mean()), int(here.sum())))
    return found
