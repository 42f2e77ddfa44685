"""A pair is hard when the teachers' last layers, applied to its embeddings, predict other classes than the teachers."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.encoding.critics.base import PairCritic
from crossx.encoding.embeddings import EmbeddingSpace, PairEmbeddings
from crossx.types import MODALITIES, CriticOutput, Modality


def posterior_divergence(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of two distributions, row by row, as a share of its largest value, log 2.

    Args:
        p: Rows sum to 1, (B, U); may contain zeros.
        q: Rows sum to 1, (B, U); may contain zeros.

    Returns:
        (B,) in [0, 1], symmetric, with finite gradients to both sides.
    """
    p, q = full_precision(p), full_precision(q)
    middle = (p + q) / 2
    tiny = torch.finfo(middle.dtype).tiny
    divergences = [(x * (x.clamp_min(tiny).log() - middle.clamp_min(tiny).log())).sum(dim=1) for x in (p, q)]
    return (torch.stack(divergences).mean(dim=0) / math.log(2)).clamp(0, 1)


class LastLayerCritic(PairCritic):
    """The published critic of CrossX-DFL (arXiv 2303.07775): class scores W f + b, unbounded.

    f is an embedding before it is scaled to unit length; W and b are the last layer of the modality's teacher. The
    `class_nll` is the cross-entropy of the scores to the teacher's most likely class, for
    `AdversarialLoss(form="published")`; the `hardness` is the Jensen-Shannon divergence to the teacher's posterior,
    as a share of log 2. Both are means over the two images of a pair.

    For comparisons: the scores are meaningful only where the encoders learn in the teachers' feature space, and they
    depend on the length of an embedding, which retrieval by cosine ignores.

    Args:
        space: The encoders' space.

    Raises:
        InputError: When embeddings are not as long as the teachers' features.
    """

    scores_classes = True
    raw = True

    def __init__(self, space: EmbeddingSpace) -> None:
        super().__init__()
        for modality in MODALITIES:
            width = space.teachers.of(modality).network.num_features
            if width != space.dim:
                raise InputError(
                    f"critic: LastLayerCritic needs embeddings as long as the {width} features of the {modality} "
                    f"teacher, got {space.dim}; change the encoder's dim, or use DistanceCritic"
                )
        self.teachers = space.teachers

    def forward(self, embeddings: PairEmbeddings) -> CriticOutput:
        """Return hardness and class cross-entropy of each pair."""
        photo = self._scores(embeddings.photo, embeddings.photo_posterior, "photo")
        sketch = self._scores(embeddings.sketch, embeddings.sketch_posterior, "sketch")
        hardness, class_nll = ((of_photo + of_sketch) / 2 for of_photo, of_sketch in zip(photo, sketch, strict=True))
        return CriticOutput(hardness, class_nll)

    def _scores(self, embedding: Tensor, posterior: Tensor, modality: Modality) -> tuple[Tensor, Tensor]:
        """Return hardness and class cross-entropy of the images of one modality, (B,) each."""
        vocabulary = self.teachers.vocabulary
        with torch.autocast(embedding.device.type, enabled=False):
            scores = self.teachers.of(modality).network.classify(full_precision(embedding))
        label = vocabulary.teacher_target(posterior.argmax(dim=1), modality)
        hardness = posterior_divergence(posterior, vocabulary.union_posterior(scores, modality))
        return hardness, F.cross_entropy(scores, label, reduction="none")
