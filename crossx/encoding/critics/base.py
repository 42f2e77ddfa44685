"""The base class of critics."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import nn

from crossx.encoding.embeddings import EmbeddingSpace, PairEmbeddings
from crossx.types import CriticOutput


class PairCritic(nn.Module, ABC):
    """A measure of how hard generated pairs are for the encoders, one number a pair.

    A critic is the adversary of "metric-agnostic adversarial estimation" (CrossX-DFL, arXiv 2303.07775): it takes
    embeddings and the teachers' posteriors alone, so it does not depend on the loss that trains the encoders.

    A critic that needs the teachers takes `space: EmbeddingSpace` as the first argument of its constructor. A joint run
    calls a critic with the encoders in eval mode and their parameters frozen. A critic has no parameters of its own.
    The gradient reaches the images through the embeddings and through the teachers' posteriors.

    Attributes:
        scores_classes: Whether the critic returns `CriticOutput.class_nll`.
        raw: Whether `forward` takes embeddings before they are scaled to unit length.
        bounded_cosine: Whether the hardness is (1 - cosine) / (1 - least cosine) of two unit vectors, whose gradient
            vanishes at both bounds.
    """

    scores_classes = False
    raw = False
    bounded_cosine = False

    @abstractmethod
    def forward(self, embeddings: PairEmbeddings) -> CriticOutput:
        """Return how hard B pairs are, differentiably with respect to embeddings and posteriors."""


CriticFactory = Callable[[EmbeddingSpace], PairCritic]
"""Builds a critic for the encoders' space."""
