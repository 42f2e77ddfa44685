"""What the losses of a refinement take, and what such a loss is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.finegrained.certainty.discriminator import PairDiscriminator
from crossx.finegrained.drawing.generator import DrawingGenerator
from crossx.finegrained.refinement.rewards import retrieval_reward
from crossx.finegrained.retrieval.frozen import FrozenEncoders
from crossx.training.objective import Ramp, WeightedTerm


@dataclass
class Refinement:
    """Photos to draw, the generator that draws them, and the models that judge its drawings.

    Attributes:
        photo: Labelled and unlabelled photos, (B, 3, H, W) float32 in [0, 1].
        instance: Place of each photo in the list of training photos, (B,) int64.
        generator: What draws; the only one that is trained.
        teacher: The frozen retrieval model.
        discriminator: What tells drawings from true sketches; its parameters get no gradient in a generator's turn.
        line_width: Width of a drawing's lines in pixels; None for that of Quick, Draw! drawings.
    """

    photo: Tensor
    instance: Tensor
    generator: DrawingGenerator
    teacher: FrozenEncoders
    discriminator: PairDiscriminator
    line_width: float | None = None

    @property
    def size(self) -> int:
        """Side of a drawing in pixels, which is that of a photo."""
        return self.photo.shape[-1]


@dataclass(frozen=True)
class Reward:
    """What a drawing is worth: how well the frozen retrieval model finds its photo by it, and how certain it is.

    R = retrieval * r + certainty * w, with r of `retrieval_reward` and w the discriminator's calibrated probability.
    The paper names both (arXiv 2103.13990); their form and weights are our choice.

    Attributes:
        retrieval: Factor of the retrieval model's part, at least 0.
        certainty: Factor of the discriminator's part, at least 0.
        margin: Margin of the retrieval model's part, in (0, 2].

    Raises:
        InputError: When a number is out of range, or both factors are 0.
    """

    retrieval: float = 1.0
    certainty: float = 1.0
    margin: float = 0.2

    def __post_init__(self) -> None:
        must_be_in("reward.retrieval", self.retrieval, "[0, inf)")
        must_be_in("reward.certainty", self.certainty, "[0, inf)")
        must_be_in("reward.margin", self.margin, "(0, 2]")
        if not self.retrieval and not self.certainty:
            raise InputError("reward: must have a retrieval or a certainty above 0, got 0 for both")

    def __call__(self, inputs: Refinement, sketch: Tensor) -> Tensor:
        """Judge one sketch a photo, (B, 3, S, S): (B,), with gradient to the sketches."""
        reward = sketch.new_zeros(len(sketch))
        if self.retrieval:
            photos = inputs.teacher(inputs.photo, "photo")
            sketches = inputs.teacher(sketch, "sketch")
            reward = reward + self.retrieval * retrieval_reward(sketches, photos, inputs.instance, self.margin)
        if self.certainty:
            reward = reward + self.certainty * inputs.discriminator.probability(inputs.photo, sketch)
        return reward


class RefinementLoss(nn.Module, ABC):
    """A loss of the generator on its own drawings; it draws, lets the drawings be judged, and returns a scalar."""

    @abstractmethod
    def forward(self, inputs: Refinement) -> Tensor:
        """Return a scalar with gradient with respect to the generator's parameters."""


@dataclass
class RefinementTerm(WeightedTerm[RefinementLoss]):
    """A loss of a refinement with its weight and ramp.

    Args:
        loss: The loss.
        weight: Factor of the loss beside the generator's own loss on labelled pairs, finite and >= 0.
        ramp: (start, end), numbers of batches or shares of the run, between which the factor rises from 0 to `weight`;
            `warmup` for the start stands for the end of the warm-ups.
    """

    loss: RefinementLoss | Callable[[], RefinementLoss]
    weight: float = 0.1
    ramp: Ramp | None = None
