"""Similarity matrices, and means with weights, for losses over all pairs of a batch."""

import torch
from torch import Tensor

from crossx.core.precision import full_precision


def similarity(rows: Tensor, columns: Tensor) -> Tensor:
    """Inner products of all rows of two matrices, in full precision; cosines where the rows are unit vectors.

    Args:
        rows: (N, D).
        columns: (M, D).

    Returns:
        (N, M), at least float32.
    """
    # Autocast would multiply in half precision, and a temperature of 0.07 enlarges the error 14 times.
    with torch.autocast(rows.device.type, enabled=False):
        return full_precision(rows) @ full_precision(columns).T


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of values with weights >= 0 of the same shape, a scalar; 0 where nothing has weight."""
    return (values * weight).sum() / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
