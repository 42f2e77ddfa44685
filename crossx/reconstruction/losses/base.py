"""What the losses of the generators see, and what such a loss is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from torch import Tensor, nn

from crossx.teachers.pair import TeacherPair
from crossx.teachers.vocabulary import Vocabulary
from crossx.training.objective import WeightedTerm
from crossx.types import Modality, PairBatch, TeacherOutput


@dataclass
class Reconstruction:
    """Generated pairs under judgement.

    Attributes:
        pairs: The pairs; their teachers' outputs carry gradient and, for teachers with BatchNorm, statistics.
        vocabulary: Union and shared part of the two teachers' classes.
        disagreement: The critic's word on each pair, (B,) in [0, 1] with gradient; None without a critic.
        crossed: What the other modality's teacher says, with statistics, by the modality of the images; empty unless
            asked for.
        surprise: Its unbounded word, (B,) >= 0 with gradient; None without a critic, or one that scores no classes.
    """

    pairs: PairBatch
    vocabulary: Vocabulary
    disagreement: Tensor | None = None
    crossed: dict[Modality, TeacherOutput] = field(default_factory=dict)
    surprise: Tensor | None = None

    @property
    def teachers(self) -> dict[Modality, TeacherOutput]:
        """The teachers' outputs by modality."""
        return {"photo": self.pairs.photo_teacher, "sketch": self.pairs.sketch_teacher}

    def predicted(self, modality: Modality) -> Tensor:
        """Most likely class of each image by its teacher, as an index into the union, (B,) int64."""
        return self.vocabulary.union_posterior(self.teachers[modality].logits.detach(), modality).argmax(dim=1)


class ReconstructionLoss(nn.Module, ABC):
    """A loss of the generators.

    A loss on single images is the mean of both modalities' losses, so that it is read in its own unit (nats, L2
    distance) however many modalities there are. Published weights for a sum over the modalities count double here.

    Losses of a whole batch, such as its class balance, are losses of the batches of all processes together.

    Attributes:
        needs_critic: Whether it reads what the critic says, which costs a pass through both encoders.
        needs_surprise: Whether it reads `Reconstruction.surprise`, which not every critic gives.
        needs_statistics: Whether it reads the teachers' `statistics`, which cost a pass over all their layers.
        needs_cross_statistics: Whether it reads `Reconstruction.crossed`, which costs a further pass of each teacher.
    """

    needs_critic = False
    needs_surprise = False
    needs_statistics = False
    needs_cross_statistics = False

    def attach(self, teachers: TeacherPair) -> None:
        """Called once with the teachers, before training, unless the term's weight is 0; by default of no concern."""

    @abstractmethod
    def forward(self, reconstruction: Reconstruction) -> Tensor:
        """Return a scalar with gradient with respect to the generated images."""


ReconstructionTerm = WeightedTerm[ReconstructionLoss]
"""A loss of the generators with its weight and ramp, as a module's `terms` take it."""
