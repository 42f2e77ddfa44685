"""Uni-Modal Distillation: each student learns from its own teacher and from no image of the other modality."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from crossx.core.precision import full_precision
from crossx.core.seeding import coming_seed
from crossx.encoding.embeddings import EmbeddingSpace, PairEmbeddings
from crossx.encoding.encoders.teacher import TeacherHeadEncoder
from crossx.encoding.losses.base import EncodingLoss
from crossx.encoding.losses.divergence import divergence
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES, Modality


class UniModalStudent(TeacherHeadEncoder):
    """A head on the frozen teacher's features that starts, in both modalities, from the same weights.

    Students that are distilled separately have comparable features only as far as they started alike; the students of
    the paper started from ImageNet's weights. The head does not see posteriors, which would tie classes that have one
    place in both teachers' lists.

    Args:
        teachers: Both teachers.
        modality: Modality of the images.
        dim: D.
        hidden: Width of the head's hidden layer; 0 for a linear head.
    """

    def __init__(self, teachers: TeacherPair, modality: Modality, dim: int = 64, hidden: int = 512) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(coming_seed())  # and not a GPU's generator, which fork_rng leaves alone
            super().__init__(teachers, modality, dim, hidden, posterior=False)


class UniModalDistillationLoss(EncodingLoss):
    """The baseline "Uni-Modal Distillation" (arXiv 2303.07775) as we read it: data-free distillation in each modality.

    Each encoder has a linear classifier of its own over its unit vectors, which learns its teacher's posterior by a KL
    divergence ("Distilling the Knowledge in a Neural Network", arXiv 1503.02531). Photos are tied to
    sketches by the start alone: both heads start from the same weights, and so do both classifiers. Whether both
    modalities' images come from one latent or from two makes no difference.

    Args:
        space: The encoders' space.
        scale: Factor of the classifiers' outputs: logits of unit vectors are too small for a confident posterior.
    """

    def __init__(self, space: EmbeddingSpace, scale: float = 16.0) -> None:
        super().__init__()
        self.scale = scale
        classifier = nn.Linear(space.dim, len(space.teachers.vocabulary))  # both start from its weights
        self.classifiers = nn.ModuleDict({m: deepcopy(classifier) for m in MODALITIES})

    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return the mean of both modalities' divergence, >= 0 in nats."""
        photo = self.classifiers["photo"](full_precision(embeddings.photo)) * self.scale
        sketch = self.classifiers["sketch"](full_precision(embeddings.sketch)) * self.scale
        return (divergence(embeddings.photo_posterior, photo) + divergence(embeddings.sketch_posterior, sketch)) / 2
