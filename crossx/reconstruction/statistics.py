"""BatchNorm statistics of generated batches: all layers, all processes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from crossx.core.distributed import moments_over_processes
from crossx.core.precision import full_precision
from crossx.networks.preprocessing import sides
from crossx.teachers.teacher import FrozenTeacher
from crossx.types import LayerStatistics


def joined_statistics(statistics: Sequence[LayerStatistics]) -> tuple[Tensor, Tensor]:
    """Mean and variance of all layers' channels behind one another.

    Args:
        statistics: One entry a layer, at least one.

    Returns:
        Mean (C,) and biased variance (C,), at least float32, C the channels of all layers together.
    """
    # All layers in one tensor: two exchanges between processes instead of two a layer.
    mean = torch.cat([full_precision(layer.mean) for layer in statistics])
    var = torch.cat([full_precision(layer.var) for layer in statistics])
    return moments_over_processes(mean, var)


@torch.no_grad()
def batch_norm_channels(teacher: FrozenTeacher) -> int:
    """C of the statistics of a teacher, 0 without BatchNorm."""
    # A forward, because modules do not tell which layers it passes, and how often.
    grey = teacher.preprocessing.mean.new_full((1, 3, *sides(teacher.preprocessing.size)), 0.5)
    return sum(len(layer.mean) for layer in teacher(grey, statistics=True).statistics)
