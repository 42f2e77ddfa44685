"""Uni-Modal Distillation: each student learns its own teacher and nothing of the other modality."""

from torch import Tensor, nn

from crossx.encoding.losses.base import EncodingLoss, PairEmbeddings
from crossx.encoding.losses.distillation import divergence
from crossx.objective import full_precision
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES


class UniModalDistillationLoss(EncodingLoss):
    """The baseline "Uni-Modal Distillation" (arXiv 2303.07775) as we read it: data-free distillation, once a modality.

    Each encoder has a linear classifier of its own over its unit vectors, which follows its teacher's posterior by a KL
    divergence ("Distilling the Knowledge in a Neural Network", arXiv 1503.02531). Nothing ties photos to sketches, so
    that generators without alignment and adversary, from one latent or from two, make no difference to it.

    Args:
        scale: Logits are the classifier's, times this: unit vectors alone cannot be sure of a class.
    """

    def __init__(self, scale: float = 16.0) -> None:
        super().__init__()
        self.scale = scale

    def start_from(self, teachers: TeacherPair, dim: int) -> None:
        """Make the two classifiers, at random."""
        self.classifiers = nn.ModuleDict({m: nn.Linear(dim, len(teachers.vocabulary)) for m in MODALITIES})

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean of both modalities' divergence, >= 0 in nats."""
        photo = self.classifiers["photo"](full_precision(embeddings.photo)) * self.scale
        sketch = self.classifiers["sketch"](full_precision(embeddings.sketch)) * self.scale
        return (divergence(embeddings.photo_posterior, photo) + divergence(embeddings.sketch_posterior, sketch)) / 2
