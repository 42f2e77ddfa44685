"""Measures of ranked lists, from the places of the relevant photos."""

from collections.abc import Sequence

import torch
from torch import Tensor

from crossx.evaluation.ranking import RightPlaces

RECALLS = tuple(level / 10 for level in range(11))
"""Recalls at which a precision-recall curve is measured."""
_FIXED_POINT = 2**36


def average_precision(found: RightPlaces, depth: int | None = None) -> Tensor:
    """Average precision: sum of P(i) rel(i) over the first places, divided by min(depth, R).

    Args:
        found: Places of the relevant photos.
        depth: Number of first places that count; None for all.

    Returns:
        (B,) float64 in [0, 1]; NaN where nothing is relevant.
    """
    counted, most = found.counted, found.relevant
    if depth is not None:
        counted, most = counted & (found.places <= depth), most.clamp(max=depth)
    return exact_sum(found.numbers.double() / found.places, counted) / most


def exact_sum(precision: Tensor, counted: Tensor) -> Tensor:
    """Sum of the precisions of each row, as far as they count.

    Fixed point, because sums of integers are exact: neither chunks nor threads nor the device change a bit. It costs
    7e-12 and overflows beyond 10**8 relevant photos.

    Args:
        precision: (B, N) float64 in [0, 1].
        counted: Whether each counts, (B, N) bool.

    Returns:
        (B,) float64.
    """
    return (precision * _FIXED_POINT).round().long().mul(counted).sum(dim=1).double() / _FIXED_POINT


def precision_at(found: RightPlaces, k: int) -> Tensor:
    """Precision h_k / k; galleries of fewer than k photos count as filled up with wrong photos.

    Args:
        found: Places of the relevant photos.
        k: Number of first places.

    Returns:
        (B,) float64 in [0, 1]; NaN where nothing is relevant.
    """
    return _or_nan(_among_first(found, k).double() / k, found)


def accuracy_at(found: RightPlaces, k: int) -> Tensor:
    """Accuracy: whether one of the first k places is relevant.

    Args:
        found: Places of the relevant photos.
        k: Number of first places.

    Returns:
        (B,) float64, 0 or 1; NaN where nothing is relevant.
    """
    return _or_nan((_among_first(found, k) > 0).double(), found)


def _among_first(found: RightPlaces, k: int) -> Tensor:
    """Number h_k of relevant photos among the first k, (B,)."""
    return (found.counted & (found.places <= k)).sum(dim=1)


def _or_nan(values: Tensor, found: RightPlaces) -> Tensor:
    return values.masked_fill(found.relevant == 0, float("nan"))


def precision_at_recall(found: RightPlaces, recalls: Sequence[float] = RECALLS) -> Tensor:
    """Interpolated precision: the largest precision at or after the place that reaches a recall.

    Args:
        found: Places of the relevant photos.
        recalls: Shares of the relevant photos, in [0, 1].

    Returns:
        (B, number of recalls) float64 in [0, 1]; NaN where nothing is relevant.
    """
    shares = torch.tensor(recalls, dtype=torch.float64, device=found.places.device)
    if found.places.shape[1] == 0:
        return shares.new_full((len(found.relevant), len(recalls)), float("nan"))
    # Between two relevant photos the precision falls, so the largest one is at the place of a relevant photo.
    precision = (found.numbers.double() / found.places).masked_fill(~found.counted, 0.0)
    best = precision.flip(1).cummax(dim=1).values.flip(1)
    # In binary floating point, 0.07 x 100 is a little more than 7.
    wanted = (shares * found.relevant[:, None] - 1e-9).ceil().clamp(min=1).long()
    return best.gather(1, wanted - 1).masked_fill(found.relevant[:, None] == 0, float("nan"))
