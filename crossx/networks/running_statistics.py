"""Running mean and variance of channels."""

import torch
from torch import Tensor, nn

from crossx.core.precision import full_precision


class RunningStatistics(nn.Module):
    """Mean and variance of all images so far, in which a batch weighs the less the older it is.

    The variance is that of the images of all batches together: the average of the batches' variances and of how far
    their means lie apart.

    Args:
        channels: C.
        momentum: What is left of a batch's weight after the next one, in (0, 1). The first 1 / (1 - momentum) batches
            weigh alike, so that the very first ones do not stay for long.
    """

    mean: Tensor
    var: Tensor
    batches: Tensor

    def __init__(self, channels: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("var", torch.zeros(channels))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Join a batch with those before it; in training mode it is one of them from then on.

        Args:
            mean: (C,).
            var: (C,), biased.

        Returns:
            Mean (C,) and variance (C,) of the images so far, with gradient through the present batch alone.
        """
        share = (1 / (self.batches + 1)).clamp_min(1 - self.momentum)
        past_mean, past_var = full_precision(self.mean), full_precision(self.var)
        step = mean - past_mean
        joined_mean = past_mean + share * step
        joined_var = (1 - share) * past_var + share * var + share * (1 - share) * step.square()
        if self.training:
            self.mean.copy_(joined_mean.detach())
            self.var.copy_(joined_var.detach())
            self.batches.add_(1)
        return joined_mean, joined_var
