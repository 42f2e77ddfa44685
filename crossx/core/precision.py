"""Number precision of losses and statistics."""

import torch
from torch import Tensor


def full_precision(x: Tensor) -> Tensor:
    """Convert half precision to float32, because sums and logarithms of half-precision numbers are too coarse."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
