"""The schedule of a joint run, as a config states it."""

from dataclasses import dataclass

from crossx.core.checks import must_be_in
from crossx.training.rotation import Rotation
from crossx.training.run_length import Length, check_length, in_batches


@dataclass(frozen=True)
class Schedule:
    """Generators alone for a warm-up, then k generator steps and m encoder steps in turn.

    Attributes:
        warmup: Batches for the generators alone: a number of batches, or a share of the run such as 0.25.
        generator_steps: k, generator batches in a cycle; 0 leaves the generators as the warm-up made them.
        encoder_steps: m, encoder batches in a cycle.

    Raises:
        InputError: When a number is negative, or encoders would never train.
    """

    warmup: Length = 0
    generator_steps: int = 1
    encoder_steps: int = 1

    def __post_init__(self) -> None:
        check_length("schedule.warmup", self.warmup)
        must_be_in("schedule.generator_steps", self.generator_steps, "[0, inf)")
        must_be_in("schedule.encoder_steps", self.encoder_steps, "[1, inf)")

    def rotation(self, total: int | None) -> Rotation:
        """Return whose turn each batch of a run is: 0 for the generators, 1 for the encoders.

        Args:
            total: Batches of the whole run.

        Raises:
            InputError: When the warm-up is a share of a run without known length.
        """
        warmup = in_batches("schedule.warmup", self.warmup, total)
        return Rotation((self.generator_steps, self.encoder_steps), warmup)
