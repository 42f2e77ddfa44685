"""A pair is hard when the teachers' last layers, put on the encoders, see other classes than the teachers do."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.encoding.critics.base import PairCritic
from crossx.encoding.losses.base import PairEmbeddings
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES, Criticism, Modality


def posterior_divergence(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of two distributions, row by row, as a share of its largest value, log 2.

    Args:
        p: Rows sum to 1, (B, U); zeros are legal.
        q: The same.

    Returns:
        (B,) in [0, 1], symmetric, with finite gradients to both sides.
    """
    p, q = full_precision(p), full_precision(q)
    middle = (p + q) / 2
    tiny = torch.finfo(middle.dtype).tiny
    divergences = [(x * (x.clamp_min(tiny).log() - middle.clamp_min(tiny).log())).sum(dim=1) for x in (p, q)]
    return (torch.stack(divergences).mean(dim=0) / math.log(2)).clamp(0, 1)


class LastLayerCritic(PairCritic):
    """The published critic of CrossX-DFL (arXiv 2303.07775): class scores W f + b, without any bound.

    f is an embedding before it is brought to unit length, W and b are the last layer of the modality's teacher. The
    `surprise` is the cross-entropy of the scores to the teacher's most likely class, for
    `AdversarialLoss(form="published")`; the `disagreement` is the Jensen-Shannon divergence to the teacher's posterior,
    as a share of log 2. Both are means over the two images of a pair.

    It is there for comparisons: the scores mean something only where the encoders learn in the teachers' feature space,
    and cosines do not see the length that this critic sees.
    """

    scores_classes = True
    raw = True

    def __init__(self) -> None:
        super().__init__()
        self.teachers: TeacherPair | None = None

    def start_from(self, teachers: TeacherPair, dim: int) -> None:
        """Take the teachers.

        Raises:
            InputError: When a teacher's features are not as wide as the embeddings.
        """
        for modality in MODALITIES:
            width = teachers.of(modality).network.num_features
            if width != dim:
                raise InputError(
                    f"critic: LastLayerCritic is not legal for embeddings of length {dim} beside a {modality} teacher "
                    f"with {width} features; give embeddings of that length, or name DistanceCritic"
                )
        self.teachers = teachers

    def forward(self, embeddings: PairEmbeddings) -> Criticism:
        """Return disagreement and surprise of each pair."""
        photo = self._judge(embeddings.photo, embeddings.photo_posterior, "photo")
        sketch = self._judge(embeddings.sketch, embeddings.sketch_posterior, "sketch")
        disagreement, surprise = ((of_photo + of_sketch) / 2 for of_photo, of_sketch in zip(photo, sketch, strict=True))
        return Criticism(disagreement, surprise)

    def _judge(self, embedding: Tensor, posterior: Tensor, modality: Modality) -> tuple[Tensor, Tensor]:
        """Disagreement and surprise of the images of one modality, (B,) each."""
        if self.teachers is None:
            raise RuntimeError("start_from() comes before the first use")
        vocabulary = self.teachers.vocabulary
        with torch.autocast(embedding.device.type, enabled=False):
            scores = self.teachers.of(modality).network.classify(full_precision(embedding))
        label = vocabulary.teacher_target(posterior.argmax(dim=1), modality)
        disagreement = posterior_divergence(posterior, vocabulary.union_posterior(scores, modality))
        return disagreement, F.cross_entropy(scores, label, reduction="none")
