"""Meta-Data: images that excite a classifier's features as its training images did."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.core.precision import full_precision
from crossx.core.tensor_files import read_safetensors, write_safetensors
from crossx.reconstruction.losses.base import Reconstruction, ReconstructionLoss
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import FrozenTeacher
from crossx.types import MODALITIES

TEACHER = "teacher"
"""Key of the teacher's hash in a record's header."""


@torch.no_grad()
def record_activations(teacher: FrozenTeacher, images: Iterable[Tensor], path: Path) -> None:
    """Write the mean and covariance of a teacher's pooled features over its training images.

    Somebody who may not share the images could publish this record beside the classifier.

    Args:
        teacher: The classifier.
        images: Batches of its training images, (B, 3, H, W) in [0, 1].
        path: `.safetensors` file to write: `mean` (F,) and `covariance` (F, F), float32.
    """
    features = torch.cat([teacher(batch).features.double().cpu() for batch in images])
    tensors = {"mean": features.mean(0).float(), "covariance": torch.cov(features.T).float()}
    write_safetensors(path, tensors, {TEACHER: teacher.hash})


def moments_distance(features: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Distance of a batch's mean and covariance to recorded ones, in units of the recorded spread.

    Args:
        features: (B, F), B at least 2.
        mean: (F,).
        covariance: (F, F).

    Returns:
        Scalar >= 0: squared distance of the means over the recorded variance, plus squared distance of the covariances
        over the squared recorded covariance.
    """
    features = full_precision(features)
    shift = (features.mean(0) - mean).square().sum() / covariance.diagonal().sum()
    shape = (torch.cov(features.T) - covariance).square().sum() / covariance.square().sum()
    return shift + shape


class ActivationMomentsLoss(ReconstructionLoss):
    """The baseline "Meta-Data" (arXiv 2303.07775) as we read it: features with the recorded mean and covariance.

    After "Data-Free Knowledge Distillation for Deep Neural Networks" (arXiv 1710.07535), which reconstructs images from
    activation records of a network's top layer; here generators make the images, as in the other rows.

    Args:
        teachers: Both teachers.
        photo: The photo teacher's record, written by `record_activations`.
        sketch: The sketch teacher's record.

    Raises:
        InputError: When a file is missing or malformed, or a record of another teacher.
    """

    def __init__(self, teachers: TeacherPair, photo: str, sketch: str) -> None:
        super().__init__()
        files = {"photo": photo, "sketch": sketch}
        for modality in MODALITIES:
            teacher, field = teachers.of(modality), f"records.{modality}"
            path = resolve(files[modality], field)
            tensors, metadata = read_safetensors(path, field)
            width = teacher.network.num_features
            shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
            if shapes != {"mean": (width,), "covariance": (width, width)}:
                raise InputError(
                    f"{field}: {path} holds {shapes}, must be mean ({width},), covariance ({width}, {width})"
                )
            if metadata.get(TEACHER) != teacher.hash:
                raise InputError(
                    f"{field}: {path} was recorded with the teacher {metadata.get(TEACHER, 'unknown')[:12]}, the run "
                    f"names {teacher.hash[:12]}; record the activations of this teacher"
                )
            # Not persistent: read from the files at every start, and registered only to follow `.to(device)`.
            for name, tensor in tensors.items():
                self.register_buffer(f"{modality}_{name}", tensor, persistent=False)

    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return the mean of both modalities' distances, >= 0."""
        distances = [
            moments_distance(
                teacher.features, self.get_buffer(f"{modality}_mean"), self.get_buffer(f"{modality}_covariance")
            )
            for modality, teacher in reconstruction.teachers.items()
        ]
        return torch.stack(distances).mean()
