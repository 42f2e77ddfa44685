"""Encoder that reads both modalities with the photo teacher, for classes that no teacher knows."""

import torch
from torch import Tensor

from crossx.core.distributed import moments_over_processes
from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.encoding.embeddings import Embedding
from crossx.encoding.encoders.base import Encoder
from crossx.networks.running_statistics import RunningStatistics
from crossx.teachers.pair import TeacherPair
from crossx.teachers.sketch_reader import SketchReader
from crossx.types import Images, Modality, TeacherOutput

_MOMENTUM = 0.99
"""Momentum of the mean and variance of the photo teacher's features: a hundred batches of synthetic photos."""
_EPSILON = 1e-5
"""Added to a variance before the variance divides: a feature that is the same in all photos tells nothing."""


class ReadingEncoder(Encoder):
    """The photo teacher's features, of photos and of sketches alike, standardised in each modality.

    A `SketchReader` reads the sketches. The features of photos are standardised by those of the synthetic photos that
    the module trains with; the statistics are in the checkpoint, and before the first training batch features are what
    they are. Nothing here trains. No class of the teachers is involved, so that beside posteriors (`CompositeEncoder`)
    it ranks images of classes that no teacher knows.

    Args:
        teachers: Both teachers.
        modality: Modality of the images.
        own_queries: Whether a set of queries is read with the statistics of its own unlabelled images, in place of
            those of procedural sketches (test-time adaptation); results say so.
    """

    def __init__(self, teachers: TeacherPair, modality: Modality, own_queries: bool = False) -> None:
        super().__init__(modality, dim=teachers.photo.network.num_features, trainable_dim=0)
        self.teacher = teachers.photo
        self.reader = SketchReader(teachers, own_queries) if modality == "sketch" else None
        self.statistics = RunningStatistics(self.dim, _MOMENTUM) if modality == "photo" else None

    def check_partner(self, other: Encoder) -> None:
        """Refuse a partner with other features.

        Raises:
            InputError: When the partner is no `ReadingEncoder`.
        """
        if not isinstance(other, ReadingEncoder):
            raise InputError(f"encoder, sketch_encoder: must be two ReadingEncoders, got a {type(other).__name__}")

    def observe(self, images: Tensor, teacher: TeacherOutput | None) -> None:
        """Count a batch of synthetic photos in the statistics of their features."""
        if self.statistics is not None:
            features = self._features_of_photos(images, teacher)
            self.statistics(*moments_over_processes(features.mean(0), features.var(0, correction=0)))

    def adapt(self, queries: Images | None) -> int:
        """Let the reader take the statistics of the queries."""
        return 0 if self.reader is None else self.reader.adapt(queries)

    @torch.no_grad()
    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Embed by the standardised features."""
        if self.reader is not None:
            reading: TeacherOutput = self.reader(images)
            return Embedding(reading.features)
        features = self._features_of_photos(images, teacher)
        if self.statistics is None or not self.statistics.batches:
            return Embedding(features)
        mean, var = full_precision(self.statistics.mean), full_precision(self.statistics.var)
        return Embedding((features - mean) / (var + _EPSILON).sqrt())

    def _features_of_photos(self, images: Tensor, teacher: TeacherOutput | None) -> Tensor:
        output: TeacherOutput = self.teacher(images) if teacher is None else teacher
        return full_precision(output.features.detach())
