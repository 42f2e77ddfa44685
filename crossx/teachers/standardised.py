"""The photo teacher with the statistics of a set of sketches."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from crossx.core.precision import full_precision
from crossx.teachers.adapted import AdaptedTeacher
from crossx.teachers.teacher import FrozenTeacher
from crossx.types import TeacherOutput

_EPSILON = 1e-5
"""Added to a variance before the variance divides: an output that is the same for all sketches tells nothing."""


class StandardisedTeacher(nn.Module):
    """The photo teacher's features and logits of sketches, standardised by those of a set of sketches.

    Its BatchNorm layers have the statistics of the set (`AdaptedTeacher`). Sketches are read as they are and as
    negatives, each with statistics of its own, and the mean of both readings counts.

    Args:
        teacher: The photo teacher.

    Attributes:
        means: Mean of each feature and each logit over the set, (2, F + K): as they are, and as negatives.
        variances: The variances, likewise.
        adapted: Whether the statistics were taken.
    """

    means: Tensor
    variances: Tensor
    adapted: Tensor

    def __init__(self, teacher: FrozenTeacher) -> None:
        super().__init__()
        self.teacher = teacher
        self.readers = nn.ModuleList([AdaptedTeacher(teacher), AdaptedTeacher(teacher)])
        self._widths = [teacher.network.num_features, teacher.network.num_classes]
        for name in ("means", "variances"):
            self.register_buffer(name, torch.zeros(len(self.readers), sum(self._widths)))
        self.register_buffer("adapted", torch.tensor(False))

    @property
    def has_batch_norm(self) -> bool:
        """Whether the teacher has BatchNorm layers, which can have other statistics."""
        return all(reader.applies for reader in self._adapted_teachers())

    @torch.no_grad()
    def forward(self, images: Tensor) -> TeacherOutput:
        """Read sketches.

        Args:
            images: (B, 3, H, W) in [0, 1].

        Returns:
            Standardised logits (B, K) and features (B, F) of the photo teacher, float32.
        """
        with torch.autocast(images.device.type, enabled=False):
            views = zip(self.readers, (images, 1 - images), self.means, self.variances, strict=True)
            readings = [(_outputs(reader, view) - mean) / (var + _EPSILON).sqrt() for reader, view, mean, var in views]
        features, logits = torch.split(torch.stack(readings).mean(0), self._widths, dim=1)
        return TeacherOutput(logits, features)

    @torch.no_grad()
    def take_statistics(self, chunks: Iterable[Tensor]) -> None:
        """Take all statistics anew.

        Args:
            chunks: The set: sketches that are run together, (N, 3, H, W) in [0, 1] each, in random order; iterated
                more than once.
        """
        with torch.autocast(self.means.device.type, enabled=False):
            for place, (reader, negative) in enumerate(zip(self._adapted_teachers(), (False, True), strict=True)):
                reader.adapt(1 - images if negative else images for images in chunks)
                read = torch.cat([_outputs(reader, 1 - images if negative else images) for images in chunks])
                self.means[place], self.variances[place] = read.mean(0), read.var(0, correction=0)
        self.adapted.fill_(True)

    def _adapted_teachers(self) -> list[AdaptedTeacher]:
        return [reader for reader in self.readers if isinstance(reader, AdaptedTeacher)]


def _outputs(reader: nn.Module, images: Tensor) -> Tensor:
    """Features and logits side by side, (B, F + K) float32."""
    output: TeacherOutput = reader(images)
    return torch.cat([full_precision(output.features), full_precision(output.logits)], dim=1)
