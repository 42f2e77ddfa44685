"""Photos should look like photos and sketches like sketches, by the BatchNorm statistics of the two teachers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss
from crossx.reconstruction.statistics import batch_norm_channels, joined_statistics
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES, LayerStatistics

_EPSILON = 1e-5
"""The epsilon of BatchNorm: a channel whose variance is far below it has no effect in the network either."""


def bhattacharyya(mean: Tensor, var: Tensor, other_mean: Tensor, other_var: Tensor) -> Tensor:
    """Bhattacharyya distance of normal distributions, channel by channel.

    It has no unit, so that loud and quiet channels, layers and teachers can be compared, and it grows only with the
    logarithm of a ratio of variances, so that a few dead channels do not drown the rest.

    Args:
        mean: (C,).
        var: (C,), >= 0.
        other_mean: (C,).
        other_var: (C,), >= 0.

    Returns:
        (C,), >= 0; 0 where both are the same.
    """
    var, other_var = var + _EPSILON, other_var + _EPSILON
    both = var + other_var
    apart = (mean - other_mean).square() / both / 4
    unlike: Tensor = (both / 2).log() / 2 - (var.log() + other_var.log()) / 4
    return apart + unlike


def statistics_misfit(statistics: Sequence[LayerStatistics], layers: int) -> Tensor:
    """Distance of a batch to the stored statistics of a teacher's first layers.

    Args:
        statistics: One entry a layer, at least one.
        layers: How many of the first ones count.

    Returns:
        Scalar >= 0: the mean over layers of the mean `bhattacharyya` distance of their channels.
    """
    statistics = statistics[:layers]
    widths = [len(layer.mean) for layer in statistics]
    mean, var = (joined.split_with_sizes(widths) for joined in joined_statistics(statistics))
    distances = [
        bhattacharyya(layer_mean, layer_var, layer.running_mean, layer.running_var).mean()
        for layer, layer_mean, layer_var in zip(statistics, mean, var, strict=True)
    ]
    return torch.stack(distances).mean()


class StatisticsGuidanceLoss(ReconstructionLoss):
    """Modality guidance without a discriminator: each modality should fit its own teacher better than the other's.

    CrossX-DFL (arXiv 2303.07775) uses a classifier of photos and sketches, which has to be trained on data of both.
    The BatchNorm layers of the two teachers hold statistics of photos and of sketches, which is enough to tell them
    apart: a batch's `statistics_misfit` to its own teacher, as a share of the sum of its misfits to both, is below 1/2
    where the batch looks more like its own modality. The share is the logistic function of the difference of the
    misfits' logarithms.

    It takes a further pass of each teacher, over the other modality's images, up to the last layer that counts.

    Args:
        teachers: Both teachers.
        layers: How many of the first BatchNorm layers count, at least 1. The first ones respond to colours and strokes,
            later ones to classes, which the other terms are about.

    Raises:
        InputError: When layers is not positive, or a teacher has no BatchNorm.
    """

    needs_statistics = True

    def __init__(self, teachers: TeacherPair, layers: int = 4) -> None:
        super().__init__()
        must_be_in("layers", layers, "[1, inf)")
        for modality in MODALITIES:
            teacher = teachers.of(modality)
            if not batch_norm_channels(teacher):
                raise InputError(
                    f"terms: StatisticsGuidanceLoss needs teachers with BatchNorm, and the {modality} teacher "
                    f"{teacher.card.name!r} has none; take the term out, in the shipped configs by "
                    "--model.reconstruction.terms.modality null, or use DiscriminatorGuidanceLoss"
                )
        self.layers = self.swapped_layers = layers

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean over both modalities of own misfit / (own misfit + other misfit), in [0, 1]."""
        shares = []
        for modality, teacher in reconstruction.teachers.items():
            own = statistics_misfit(teacher.statistics, self.layers)
            other = statistics_misfit(reconstruction.swapped[modality], self.layers)
            shares.append(own / (own + other).clamp_min(torch.finfo(own.dtype).tiny))
        return torch.stack(shares).mean()
