"""Generated images should give the layer statistics that the training images gave."""

from collections.abc import Sequence

import torch
from torch import Tensor

from crossx.distributed import mean_over_processes
from crossx.objective import full_precision
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss
from crossx.types import LayerStatistics, Reduce


def statistics_distance(statistics: Sequence[LayerStatistics], reduce: Reduce = "local") -> Tensor:
    """Distance of a batch's BatchNorm statistics to the stored ones.

    Args:
        statistics: One entry a layer, at least one.
        reduce: Whether mean and variance are those of this process's batch or of all processes' batches.

    Returns:
        Scalar >= 0: the mean over layers of ||mean - running_mean|| + ||var - running_var|| (L2). DeepInversion sums
        over layers; with the mean a weight means the same for a shallow and a deep teacher.
    """
    # All layers in one tensor: two exchanges between processes instead of two a layer.
    mean = torch.cat([full_precision(layer.mean) for layer in statistics])
    var = torch.cat([full_precision(layer.var) for layer in statistics])
    # mean(var + mean^2) - mean^2 over processes, written without the difference of two large numbers.
    global_mean = mean_over_processes(mean, reduce)
    global_var = mean_over_processes(var + (mean - global_mean).square(), reduce)
    widths = [len(layer.mean) for layer in statistics]
    distances = [
        torch.linalg.vector_norm(layer_mean - layer.running_mean)
        + torch.linalg.vector_norm(layer_var - layer.running_var)
        for layer, layer_mean, layer_var in zip(
            statistics, global_mean.split_with_sizes(widths), global_var.split_with_sizes(widths), strict=True
        )
    ]
    return torch.stack(distances).mean()


class BatchNormStatisticsLoss(ReconstructionLoss):
    """Feature distribution regularisation of DeepInversion (arXiv 1912.08795).

    Args:
        reduce: `global` compares the statistics of all processes' batches together.
    """

    needs_statistics = True

    def __init__(self, reduce: Reduce = "global") -> None:
        super().__init__()
        self.reduce: Reduce = reduce

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean of both modalities' `statistics_distance`, >= 0; a teacher without BatchNorm counts 0."""
        distances = [
            statistics_distance(teacher.statistics, self.reduce) if teacher.statistics else teacher.logits.new_zeros(())
            for teacher in reconstruction.teachers.values()
        ]
        return torch.stack(distances).mean()
