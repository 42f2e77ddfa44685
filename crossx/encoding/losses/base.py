"""What the losses of the encoders see, and what such a loss is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from crossx.core.distributed import gather
from crossx.teachers.pair import TeacherPair
from crossx.training.objective import WeightedTerm


@dataclass
class Hint:
    """A teacher's features, and an encoder's guess of them.

    Attributes:
        guess: (B, F).
        features: (B, F).
    """

    guess: Tensor
    features: Tensor


@dataclass
class PairEmbeddings:
    """Embedded pairs, row i of everything belonging to pair i, with what the teachers say of their images.

    Attributes:
        photo: Photo embeddings of unit length, (B, D).
        sketch: Sketch embeddings of unit length, (B, D).
        photo_posterior: The photo teacher's posterior over the union, (B, U), rows sum to 1.
        sketch_posterior: The sketch teacher's posterior over the union, (B, U), rows sum to 1.
        target: Class that both teachers together find most likely (or, with data, the true class), as an index into the
            union, (B,) int64; that of the pair, also where views of other content are judged.
        hints: One for each encoder that guesses its teacher's features.
        least_cosine: The smallest cosine that a photo and a sketch can have, in [-1, 1).
    """

    photo: Tensor
    sketch: Tensor
    photo_posterior: Tensor
    sketch_posterior: Tensor
    target: Tensor
    hints: tuple[Hint, ...] = ()
    least_cosine: float = -1.0

    @property
    def photo_class(self) -> Tensor:
        """Most likely class of each photo by its teacher, as an index into the union, (B,) int64."""
        return self.photo_posterior.argmax(dim=1)

    @property
    def sketch_class(self) -> Tensor:
        """Most likely class of each sketch by its teacher, as an index into the union, (B,) int64."""
        return self.sketch_posterior.argmax(dim=1)

    def gathered(self) -> "PairEmbeddings":
        """The pairs of all processes in rank order, embeddings with gradient and posteriors without.

        Hints stay behind: what compares an image with itself needs no other process's.
        """
        return PairEmbeddings(
            photo=gather(self.photo),
            sketch=gather(self.sketch),
            photo_posterior=gather(self.photo_posterior.detach()),
            sketch_posterior=gather(self.sketch_posterior.detach()),
            target=gather(self.target),
            least_cosine=self.least_cosine,
        )


class EncodingLoss(nn.Module, ABC):
    """A loss of the encoders; the mean of both directions, sketch to photo and photo to sketch.

    A loss that compares the pairs of a batch compares those of all processes together.

    Parameters of its own (heads, classifiers) are trained by the encoders' optimiser and are in the checkpoint.

    Attributes:
        needs_guesses: Whether it reads `PairEmbeddings.hints`, which not every encoder gives.
    """

    needs_guesses = False

    def start_from(self, teachers: TeacherPair, dim: int) -> None:
        """Called once, before training and before a checkpoint is read; by default of no concern.

        Args:
            teachers: Both teachers and the vocabulary that joins their classes.
            dim: D, length of the embeddings.
        """

    @abstractmethod
    def forward(self, embeddings: PairEmbeddings) -> Tensor:
        """Return a scalar with gradient with respect to the embeddings."""


EncodingTerm = WeightedTerm[EncodingLoss]
"""A loss of the encoders with its weight and ramp, as a module's `terms` take it."""
