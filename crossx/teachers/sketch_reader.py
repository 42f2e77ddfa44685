"""The photo teacher as a reader of sketches."""

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from crossx.core.checks import must_be_in
from crossx.core.precision import full_precision
from crossx.data.pen import FINER, Pen
from crossx.strokes.procedural import procedural_sketches
from crossx.teachers.adapted import AdaptedTeacher
from crossx.teachers.pair import TeacherPair
from crossx.types import TeacherOutput

_EPSILON = 1e-5
"""Added to a variance before the variance divides: an output that is the same for all sketches tells nothing."""
_CHUNK = 250
"""Sketches that are run together."""


class SketchReader(nn.Module):
    """The photo teacher's features and logits of sketches, standardised by those of procedural sketches.

    A photo classifier's output on a sketch is worthless as it is, because its BatchNorm layers expect photos. Here the
    layers take their statistics anew on procedural sketches (`AdaptedTeacher`), of which none is a real drawing, and
    each feature and each logit is standardised by its mean and variance over the same sketches: a photo classifier
    puts nearly every sketch into a few classes, and what differs from that tells drawings apart. Sketches are read as
    they are and as negatives, each with statistics of its own, and the mean of both readings counts.

    The statistics are taken when the first sketch is read, and are in the checkpoint. Without BatchNorm layers in the
    photo teacher only the standardisation is left.

    Args:
        teachers: Both teachers: the photo teacher reads, and procedural sketches are drawn with the pen and in the size
            of the sketch teacher's card.
        sketches: Number of procedural sketches, at least 2.

    Raises:
        InputError: When the number is out of range.
    """

    means: Tensor
    variances: Tensor
    adapted: Tensor

    def __init__(self, teachers: TeacherPair, sketches: int = 500) -> None:
        super().__init__()
        must_be_in("encoder.sketches", sketches, "[2, inf)")
        card, network = teachers.sketch.card, teachers.photo.network
        self.sketches = sketches
        self._side = card.input_format.size if isinstance(card.input_format.size, int) else max(card.input_format.size)
        self._pen = card.pen or Pen()
        # One for sketches as they are, one for negatives.
        readers = [AdaptedTeacher(teachers.photo), AdaptedTeacher(teachers.photo)]
        self.readers = nn.ModuleList(readers)
        self._widths = [network.num_features, network.num_classes]
        for name in ("means", "variances"):
            self.register_buffer(name, torch.zeros(len(self.readers), sum(self._widths)))
        self.register_buffer("adapted", torch.tensor(False))
        if not readers[0].applies:
            rank_zero_warn(
                f"encoder: the photo teacher {teachers.photo.title!r} has no BatchNorm layers, which could adapt to "
                "sketches; its outputs on sketches are standardised by those on procedural sketches, and no more"
            )

    @torch.no_grad()
    def forward(self, images: Tensor) -> TeacherOutput:
        """Read sketches.

        Args:
            images: (B, 3, H, W) in [0, 1].

        Returns:
            Standardised logits (B, K) and features (B, F) of the photo teacher, float32.
        """
        with torch.autocast(images.device.type, enabled=False):
            if not self.adapted:
                self._adapt(images.device)
            views = zip(self.readers, (images, 1 - images), self.means, self.variances, strict=True)
            readings = [(_outputs(reader, view) - mean) / (var + _EPSILON).sqrt() for reader, view, mean, var in views]
        features, logits = torch.split(torch.stack(readings).mean(0), self._widths, dim=1)
        return TeacherOutput(logits, features)

    def _adapt(self, device: torch.device) -> None:
        """Take all statistics on procedural sketches."""
        drawn = [self._draw(first).to(device) for first in range(0, self.sketches, _CHUNK)]
        readers = [reader for reader in self.readers if isinstance(reader, AdaptedTeacher)]
        for place, (reader, negative) in enumerate(zip(readers, (False, True), strict=True)):
            reader.adapt(1 - images if negative else images for images in drawn)
            read = torch.cat([_outputs(reader, 1 - images if negative else images) for images in drawn])
            self.means[place], self.variances[place] = read.mean(0), read.var(0, correction=0)
        self.adapted.fill_(True)

    def _draw(self, first: int) -> Tensor:
        """Draw a chunk of procedural sketches with the pen of the sketch teacher, (N, 3, S, S) in [0, 1]."""
        indices = range(first, min(first + _CHUNK, self.sketches))
        fineness = FINER if self._pen.redraws else 1
        ink = 1 - torch.from_numpy(procedural_sketches(indices, self._side * fineness))[:, None] / 255
        return self._pen.draw(ink) if self._pen.redraws else (1 - ink).expand(-1, 3, -1, -1)


def _outputs(reader: nn.Module, images: Tensor) -> Tensor:
    """Features and logits side by side, (B, F + K) float32."""
    output: TeacherOutput = reader(images)
    return torch.cat([full_precision(output.features), full_precision(output.logits)], dim=1)
