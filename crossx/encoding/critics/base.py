"""What a critic is."""

from abc import ABC, abstractmethod

from torch import nn

from crossx.encoding.losses.base import PairEmbeddings
from crossx.teachers.pair import TeacherPair
from crossx.types import Criticism


class PairCritic(nn.Module, ABC):
    """How hard generated pairs are for the encoders, one number a pair.

    This is the adversary of "metric-agnostic adversarial estimation" (CrossX-DFL, arXiv 2303.07775): it sees
    embeddings and the teachers' posteriors and nothing else, so it is the same whatever loss the encoders learn by.

    A joint run asks it with the encoders in eval mode and their parameters frozen. It has no parameters of its own.
    Its gradient goes to the images: through the embeddings, and through what the teachers say of the images.

    Attributes:
        scores_classes: Whether it gives `Criticism.surprise`.
        raw: Whether `forward` is given embeddings as they are before they are brought to unit length.
    """

    scores_classes = False
    raw = False

    def start_from(self, teachers: TeacherPair, dim: int) -> None:
        """Called once with the teachers and the encoders' D, before training; by default of no concern."""

    @abstractmethod
    def forward(self, embeddings: PairEmbeddings) -> Criticism:
        """Judge B pairs, differentiably with respect to embeddings and posteriors."""
