"""The base class of the encoders' losses, and a term of their objective."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from crossx.encoding.embeddings import EmbeddingSpace, PairEmbeddings
from crossx.training.objective import Ramp, WeightedTerm


class EncodingLoss(nn.Module, ABC):
    """A loss of the encoders: the mean of both directions, sketch to photo and photo to sketch.

    A loss that compares the pairs of a batch with each other compares the pairs of all processes.

    A loss that needs the teachers or the length of the embeddings takes `space: EmbeddingSpace` as the first argument
    of its constructor; the module fills it in. Parameters of a loss (heads, classifiers) are trained by the encoders'
    optimiser and are in the checkpoint.

    Attributes:
        needs_features: Whether the loss reads `PairEmbeddings.features`, which not every encoder predicts.
        wants_agreement: Whether a pair's photo and sketch are positives because they are a pair.
    """

    needs_features = False
    wants_agreement = False

    @abstractmethod
    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return a scalar with gradient with respect to the embeddings."""


@dataclass
class EncodingTerm(WeightedTerm[EncodingLoss]):
    """A loss of the encoders with its weight and ramp.

    Args:
        loss: The loss, or a factory of one that takes the `EmbeddingSpace`.
        weight: Factor of the loss, finite and >= 0; 0 switches the term off.
        ramp: (start, end), numbers of batches or shares of the run, between which the factor rises from 0 to `weight`;
            the start may be `warmup`.
    """

    loss: EncodingLoss | Callable[[EmbeddingSpace], EncodingLoss]
    weight: float = 1.0
    ramp: Ramp | None = None
