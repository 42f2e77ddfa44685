"""Differentiable exchange between processes for losses that need the whole batch.

Every process computes the same global loss; the backward of the collectives sums the gradients of all processes, and
DDP's mean over processes then gives exactly the gradient of one process with the whole batch. (pytorch and its users
got this wrong often enough: open_clip #616, ms-swift #10081.) Outside a process group everything is the identity.
"""

import os
import warnings

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Number of processes of the default group, 1 outside of one."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Rank in the default group, 0 outside of one."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def warn(message: str) -> None:
    """Warn on the first process, with the line that called the function that warns."""
    # Before the processes meet, only what their launcher has set tells them apart.
    started_as = os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or "0"
    if rank() == 0 and started_as == "0":
        warnings.warn(message, UserWarning, stacklevel=3)


class _AllReduceSum(torch.autograd.Function):
    """Sum over processes; the gradient is the sum over processes too."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:  # noqa: ARG004 - autograd's signature
        total = x.detach().clone().contiguous()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:  # noqa: ARG004 - as above
        total = grad.clone().contiguous()
        dist.all_reduce(total)
        return total


def mean_over_processes(x: Tensor) -> Tensor:
    """Mean of `x` over all processes with gradient; `x` itself where there is one process."""
    if world_size() == 1:
        return x
    total: Tensor = _AllReduceSum.apply(x)
    return total / world_size()


def moments_over_processes(mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of the batches of all processes together, with gradient; all need equal B.

    Args:
        mean: Of this process's batch.
        var: Of this process's batch, biased.
    """
    # mean(var + mean^2) - mean^2 over processes, written without the difference of two large numbers.
    global_mean = mean_over_processes(mean)
    return global_mean, mean_over_processes(var + (mean - global_mean).square())


def gather(x: Tensor) -> Tensor:
    """Rows of all processes in rank order with gradient: (B, ...) to (world * B, ...); all processes need equal B."""
    if world_size() == 1:
        return x
    # A sum of zero-padded blocks is a gather whose backward needs no further collective than the one above.
    block = x.new_zeros((world_size(), *x.shape))
    block[rank()] = x
    total: Tensor = _AllReduceSum.apply(block)
    return total.flatten(0, 1)
