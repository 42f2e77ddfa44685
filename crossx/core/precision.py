"""Number precision of losses and statistics."""

import torch
from torch import Tensor


def full_precision(x: Tensor) -> Tensor:
    """At least float32: sums and logarithms of half-precision numbers lose what a loss is about."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
