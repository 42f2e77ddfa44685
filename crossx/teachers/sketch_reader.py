"""The photo teacher as a reader of sketches."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from crossx.core.distributed import warn
from crossx.core.errors import InputError
from crossx.pixels.pen import FINER, Pen
from crossx.strokes.procedural import procedural_sketches
from crossx.teachers.pair import TeacherPair
from crossx.teachers.standardised import StandardisedTeacher
from crossx.types import Images, TeacherOutput

SKETCHES = 500
"""Procedural sketches that the statistics are taken on."""
LEAST_QUERIES = 30
"""Queries that the statistics are taken on at least: those of a few images are worse than procedural ones."""
_CHUNK = 250
"""Sketches that are run together, at most."""


class SketchReader(StandardisedTeacher):
    """The photo teacher's features and logits of sketches, standardised by those of procedural sketches.

    A photo classifier's output on a sketch is worthless as it is, because its BatchNorm layers expect photos. Here the
    layers take their statistics anew on procedural sketches, of which none is a real drawing, and each feature and each
    logit is standardised by its mean and variance over the same sketches: a photo classifier puts nearly every sketch
    into a few classes, and what differs from that tells drawings apart.

    The statistics are taken when the first sketch is read, and are in the checkpoint. Without BatchNorm layers in the
    photo teacher only the standardisation is left.

    With `own_queries` the statistics of the unlabelled queries at hand take the place of the procedural ones while the
    queries are embedded (test-time adaptation), and are in no state dict.

    Args:
        teachers: Both teachers: the photo teacher reads, and procedural sketches are drawn with the pen and in the size
            of the sketch teacher's card.
        own_queries: Whether to read a set of queries with its own statistics, once `adapt` has shown the set.
    """

    def __init__(self, teachers: TeacherPair, own_queries: bool = False) -> None:
        super().__init__(teachers.photo)
        card = teachers.sketch.card
        self.own_queries = own_queries
        self._side = card.input_format.size if isinstance(card.input_format.size, int) else max(card.input_format.size)
        self._pen = card.pen or Pen()
        # In a tuple, so that it is no submodule: statistics of real images must not come into a checkpoint.
        self._of_queries: tuple[StandardisedTeacher, ...] = ()
        if not self.has_batch_norm:
            warn(
                f"encoder: the photo teacher {teachers.photo.title!r} has no BatchNorm layers, which could adapt to "
                "sketches; its outputs on sketches are standardised by those on "
                f"{'the unlabelled queries' if own_queries else 'procedural sketches'}, and no more"
            )

    @torch.no_grad()
    def forward(self, images: Tensor) -> TeacherOutput:
        """Read sketches; see `StandardisedTeacher`."""
        if not self.adapted:
            self.take_statistics([chunk.to(images.device) for chunk in self._procedural()])
        if self._of_queries:
            reading: TeacherOutput = self._of_queries[0](images)
            return reading
        return super().forward(images)

    def adapt(self, queries: Images | None) -> int:
        """Read with the statistics of a set of unlabelled queries, where the reader is to; see `Encoder.adapt`.

        Raises:
            InputError: When there are too few queries.
        """
        self._of_queries = ()
        if not self.own_queries or queries is None:
            return 0
        if len(queries) < LEAST_QUERIES:
            raise InputError(
                f"encoder.own_queries: must be false with fewer than {LEAST_QUERIES} queries, too few to take "
                f"statistics of, got {len(queries)} queries"
            )
        device = self.means.device
        reader = StandardisedTeacher(self.teacher).to(device)
        reader.take_statistics(_Chunks(queries, device))
        self._of_queries = (reader,)
        return len(queries)

    def _procedural(self) -> Iterator[Tensor]:
        """Draw procedural sketches with the pen of the sketch teacher, in chunks of (N, 3, S, S) in [0, 1]."""
        fineness = FINER if self._pen.redraws else 1
        for first in range(0, SKETCHES, _CHUNK):
            indices = range(first, min(first + _CHUNK, SKETCHES))
            ink = 1 - torch.from_numpy(procedural_sketches(indices, self._side * fineness))[:, None] / 255
            yield self._pen.draw(ink) if self._pen.redraws else (1 - ink).expand(-1, 3, -1, -1)


class _Chunks:
    """Images in chunks of about equal size, and in an order that mixes classes; read anew in each iteration.

    Args:
        images: Images, (3, H, W) each.
        device: Where they are wanted.
    """

    def __init__(self, images: Images, device: torch.device) -> None:
        order = np.random.default_rng(0).permutation(len(images))
        self._parts = np.array_split(order, -(-len(images) // _CHUNK))
        self._images, self._device = images, device

    def __iter__(self) -> Iterator[Tensor]:
        for part in self._parts:
            yield torch.stack([self._images[int(i)] for i in part]).to(self._device)
