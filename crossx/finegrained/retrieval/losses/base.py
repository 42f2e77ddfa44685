"""The base class of the losses of fine-grained retrieval, a term of their objective, and distances of instances."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from crossx.encoding.losses.matrices import similarity
from crossx.finegrained.retrieval.embeddings import InstanceEmbeddings
from crossx.training.objective import Ramp, WeightedTerm


class InstanceLoss(nn.Module, ABC):
    """A loss of fine-grained retrieval; it compares the pairs of a batch with each other, those of all processes.

    Attributes:
        needs_teacher: Whether the loss reads the frozen teacher's embeddings.
        needs_free: Whether it reads the embeddings of unlabelled photos.
        needs_views: Whether it also reads those of another view of each of them.
    """

    needs_teacher = False
    needs_free = False
    needs_views = False

    @abstractmethod
    def forward(self, embeddings: InstanceEmbeddings) -> Tensor:
        """Return a scalar with gradient with respect to the embeddings."""


@dataclass
class InstanceTerm(WeightedTerm[InstanceLoss]):
    """A loss of fine-grained retrieval with its weight and ramp.

    Args:
        loss: The loss.
        weight: Factor of the loss, finite and >= 0; 0 switches the term off.
        ramp: (start, end), numbers of batches or shares of the run, between which the factor rises from 0 to `weight`.
    """

    loss: InstanceLoss | Callable[[], InstanceLoss]
    weight: float = 1.0
    ramp: Ramp | None = None


def distances(rows: Tensor, columns: Tensor) -> Tensor:
    """Euclidean distances of unit vectors, in full precision and with a finite gradient at 0.

    Args:
        rows: (N, D).
        columns: (M, D).

    Returns:
        (N, M) in [0, 2], at least float32.
    """
    # The root of 0 has no gradient; vectors that agree to 1e-6 are the same in float32.
    return (2 - 2 * similarity(rows, columns)).clamp_min(1e-12).sqrt()


def other_instances(instance: Tensor) -> Tensor:
    """Mask of what may be negatives of each other: (B,) int64 to (B, B) bool, false where both show one instance."""
    return instance[:, None] != instance[None, :]


def mean_with_weight(values: Tensor, weight: Tensor) -> Tensor:
    """Mean over B of w_i * values_i: a pair that is not trusted takes its share of the loss with it.

    Args:
        values: (B,), finite.
        weight: (B,), >= 0; no gradient passes through it.
    """
    return (values * weight.detach().to(values.dtype)).mean()
