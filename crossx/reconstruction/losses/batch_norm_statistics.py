"""Generated images should give the layer statistics that the training images gave."""

from collections.abc import Sequence

import torch
from torch import Tensor

from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss
from crossx.reconstruction.statistics import joined_statistics
from crossx.types import LayerStatistics, TeacherOutput


def statistics_distance(statistics: Sequence[LayerStatistics]) -> Tensor:
    """Distance of a batch's BatchNorm statistics to the stored ones.

    Args:
        statistics: One entry a layer, at least one.

    Returns:
        Scalar >= 0: the mean over layers of ||mean - running_mean|| + ||var - running_var|| (L2). DeepInversion sums
        over layers; with the mean a weight means the same for a shallow and a deep teacher.
    """
    widths = [len(layer.mean) for layer in statistics]
    mean, var = (joined.split_with_sizes(widths) for joined in joined_statistics(statistics))
    distances = [
        torch.linalg.vector_norm(layer_mean - layer.running_mean)
        + torch.linalg.vector_norm(layer_var - layer.running_var)
        for layer, layer_mean, layer_var in zip(statistics, mean, var, strict=True)
    ]
    return torch.stack(distances).mean()


class BatchNormStatisticsLoss(ReconstructionLoss):
    """Feature distribution regularisation of DeepInversion (arXiv 1912.08795)."""

    needs_statistics = True

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean of both modalities' distances, >= 0; a teacher without BatchNorm counts 0."""
        return torch.stack([_distance(teacher) for teacher in reconstruction.teachers.values()]).mean()


def _distance(teacher: TeacherOutput) -> Tensor:
    return statistics_distance(teacher.statistics) if teacher.statistics else teacher.logits.new_zeros(())
