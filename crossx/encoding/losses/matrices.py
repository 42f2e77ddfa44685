"""What losses over all pairs of a batch share."""

import torch
from torch import Tensor

from crossx.core.precision import full_precision


def products(rows: Tensor, columns: Tensor) -> Tensor:
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


def without_self(square: Tensor) -> Tensor:
    """A square matrix without its diagonal, (N, N) to (N, N - 1): every row keeps its order."""
    size = len(square)
    # In the flat matrix without its last entry, each diagonal entry is the first of a stretch of N + 1.
    return square.flatten()[:-1].view(size - 1, size + 1)[:, 1:].reshape(size, size - 1)


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of values with weights >= 0 of the same shape, a scalar; 0 where nothing has weight."""
    return (values * weight).sum() / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
