"""What the losses of the generators take, and what such a loss is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor, nn

from crossx.teachers.pair import TeacherPair
from crossx.teachers.vocabulary import Vocabulary
from crossx.training.objective import Ramp, WeightedTerm
from crossx.types import CriticOutput, LayerStatistics, Modality, PairBatch, TeacherOutput


@dataclass
class Reconstruction:
    """Generated pairs, with everything that a loss of the generators may read.

    Pairs and vocabulary stay what they are once the posteriors have been read, which are computed once.

    Attributes:
        pairs: The pairs; the teachers' outputs carry gradient and, for teachers with BatchNorm, statistics.
        vocabulary: Union and shared part of the two teachers' classes.
        critic: How hard each pair is for the encoders, with gradient; None without a critic.
        swapped: Statistics of the first BatchNorm layers of the other modality's teacher, by the modality of the
            images; empty unless a loss reads them.
    """

    pairs: PairBatch
    vocabulary: Vocabulary
    critic: CriticOutput | None = None
    swapped: dict[Modality, list[LayerStatistics]] = field(default_factory=dict)

    @property
    def teachers(self) -> dict[Modality, TeacherOutput]:
        """The teachers' outputs by modality."""
        return {"photo": self.pairs.photo_teacher, "sketch": self.pairs.sketch_teacher}

    @cached_property
    def posteriors(self) -> dict[Modality, Tensor]:
        """The teachers' posteriors over the union, (B, U) each, by modality; without gradient."""
        return {
            modality: self.vocabulary.union_posterior(teacher.logits.detach(), modality)
            for modality, teacher in self.teachers.items()
        }

    @cached_property
    def agreed(self) -> Tensor:
        """Most likely class of each pair by both teachers together, as an index into the union, (B,) int64."""
        return self.vocabulary.most_likely_of(self.posteriors["photo"], self.posteriors["sketch"])

    def predicted(self, modality: Modality) -> Tensor:
        """Return the most likely class of each image by its teacher, as an index into the union, (B,) int64."""
        return self.posteriors[modality].argmax(dim=1)


class ReconstructionLoss(nn.Module, ABC):
    """A loss of the generators.

    A loss on single images is the mean of both modalities' losses, so that it has the unit of its kind (nats, L2
    distance) however many modalities there are. Published weights for a sum over the modalities count double here.

    A loss that needs the teachers takes `teachers: TeacherPair` as the first argument of its constructor; the module
    fills it in.

    Attributes:
        wants_agreement: Whether the loss makes both images of a pair show one class.
        needs_critic: Whether the loss reads `Reconstruction.critic`, which costs a pass through both encoders.
        needs_class_nll: Whether the loss reads the critic's `class_nll`, which not every critic returns.
        needs_statistics: Whether the loss reads the teachers' `statistics`, which cost a pass over all their layers.
        swapped_layers: How many layers the loss reads of `Reconstruction.swapped`, each of which a further pass of each
            teacher goes through; 0 for a loss that reads none.
    """

    wants_agreement = False
    needs_critic = False
    needs_class_nll = False
    needs_statistics = False
    swapped_layers = 0

    @abstractmethod
    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return a scalar with gradient with respect to the generated images."""


@dataclass
class ReconstructionTerm(WeightedTerm[ReconstructionLoss]):
    """A loss of the generators with its weight and ramp.

    Args:
        loss: The loss, or a factory of one that takes the `TeacherPair`.
        weight: Factor of the loss, finite and >= 0; 0 switches the term off.
        ramp: (start, end), numbers of batches or shares of the run, between which the factor rises from 0 to `weight`;
            the start may be `warmup`.
    """

    loss: ReconstructionLoss | Callable[[TeacherPair], ReconstructionLoss]
    weight: float = 1.0
    ramp: Ramp | None = None
