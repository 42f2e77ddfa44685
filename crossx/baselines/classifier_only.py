"""Classifier Only: the classifiers' features as they are."""

from torch import Tensor

from crossx.encoding.embeddings import Embedding
from crossx.encoding.encoders.teacher import FrozenTeacherEncoder
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality, TeacherOutput


class ClassifierOnly(FrozenTeacherEncoder):
    """The baseline "Classifier Only" (arXiv 2303.07775) as we read it: cosine of the teachers' pooled features.

    Nothing is trained, so the baseline is measured with `crossx validate` and `crossx test`. The features of two
    networks are comparable only when both started from the same weights, such as those of ImageNet. Where the last
    layers started from the same weights, too, the features of class i are tied, which helps far more than a common
    backbone does: `docs/experiments.md`, "What teachers' common start is worth".

    Args:
        teachers: Both teachers.
        modality: Modality of the images.
    """

    def __init__(self, teachers: TeacherPair, modality: Modality) -> None:
        super().__init__(teachers, modality, dim=teachers.of(modality).network.num_features)

    def embed(self, images: Tensor, teacher: TeacherOutput | None) -> Embedding:
        """Embed by the teacher's features."""
        return Embedding(self.output(images, teacher).features)
