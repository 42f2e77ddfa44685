"""Generated images should give the layer statistics that the training images gave."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.networks.running_statistics import RunningStatistics
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss
from crossx.reconstruction.statistics import batch_norm_channels, joined_statistics
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES, LayerStatistics, Modality, Reduce, TeacherOutput


def statistics_distance(statistics: Sequence[LayerStatistics], reduce: Reduce = "local") -> Tensor:
    """Distance of a batch's BatchNorm statistics to the stored ones.

    Args:
        statistics: One entry a layer, at least one.
        reduce: Whether mean and variance are those of this process's batch or of all processes' batches.

    Returns:
        Scalar >= 0: the mean over layers of ||mean - running_mean|| + ||var - running_var|| (L2). DeepInversion sums
        over layers; with the mean a weight means the same for a shallow and a deep teacher.
    """
    return _distance(*joined_statistics(statistics, reduce), statistics)


def _distance(mean: Tensor, var: Tensor, stored: Sequence[LayerStatistics]) -> Tensor:
    widths = [len(layer.mean) for layer in stored]
    distances = [
        torch.linalg.vector_norm(layer_mean - layer.running_mean)
        + torch.linalg.vector_norm(layer_var - layer.running_var)
        for layer, layer_mean, layer_var in zip(
            stored, mean.split_with_sizes(widths), var.split_with_sizes(widths), strict=True
        )
    ]
    return torch.stack(distances).mean()


class BatchNormStatisticsLoss(ReconstructionLoss):
    """Feature distribution regularisation of DeepInversion (arXiv 1912.08795), with momentum as in Fast-DFKD.

    A small batch never has the statistics of a whole data set. With momentum (Fast-DFKD, arXiv 2112.06421, uses 0.9)
    the stored statistics are compared with the running ones of this and all earlier batches, through which only the
    present batch has a gradient: it is told what the earlier ones lack. That gradient is 1 - momentum times as large,
    so the weight should be 1 / (1 - momentum) times as large. The
    variance is that of all batches' images together, which is what the teacher has stored.

    The running statistics are in the checkpoint.

    Args:
        reduce: `global` compares the statistics of all processes' batches together. With `local`, each process has
            running statistics of its own, and a checkpoint keeps the first one's.
        momentum: What is left of a batch's weight after the next one, from 0 to below 1; 0 compares the batch alone.

    Raises:
        InputError: When momentum is out of range.
    """

    needs_statistics = True

    def __init__(self, reduce: Reduce = "global", momentum: float = 0.0) -> None:
        super().__init__()
        if not 0 <= momentum < 1:
            raise InputError(f"momentum: {momentum} is not legal; from 0 to below 1")
        self.reduce: Reduce = reduce
        self.momentum = momentum
        self.running = nn.ModuleDict()

    def attach(self, teachers: TeacherPair) -> None:
        """Make room for the running statistics of both teachers, so that a checkpoint finds its place."""
        if self.momentum:
            for modality in MODALITIES:
                channels = batch_norm_channels(getattr(teachers, modality))
                self.running[modality] = RunningStatistics(channels, self.momentum)

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean of both modalities' distances, >= 0; a teacher without BatchNorm counts 0."""
        distances = [self._of(modality, teacher) for modality, teacher in reconstruction.teachers.items()]
        return torch.stack(distances).mean()

    def _of(self, modality: Modality, teacher: TeacherOutput) -> Tensor:
        if not teacher.statistics:
            return teacher.logits.new_zeros(())
        mean, var = joined_statistics(teacher.statistics, self.reduce)
        if self.momentum:
            if not self.running:
                raise RuntimeError("attach() comes before the first use")
            mean, var = self.running[modality](mean, var)
        return _distance(mean, var, teacher.statistics)
