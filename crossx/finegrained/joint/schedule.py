"""The schedule of the joint run of fine-grained retrieval, as a config states it."""

from dataclasses import dataclass

from crossx.core.checks import must_be_in
from crossx.training.rotation import Rotation


@dataclass(frozen=True)
class StagedRotation(Rotation):
    """The first player alone, then the second one alone, then all players in turn.

    Attributes:
        first: Batches of the first player alone, in [0, warmup]; the rest of the warm-up is the second player's.
    """

    first: int = 0

    def player(self, done: int) -> int:
        """Index of the player who trains on the coming batch, after `done` batches."""
        return int(done >= self.first) if done < self.warmup else super().player(done)

    def batches_of(self, player: int, done: int) -> int:
        """Count how many of the first `done` batches train a player."""
        in_turn = super().batches_of(player, done) - (min(done, self.warmup) if player == 0 else 0)
        of_first = min(done, self.first)
        alone = {0: of_first, 1: min(done, self.warmup) - of_first}
        return in_turn + alone.get(player, 0)


@dataclass(frozen=True)
class JointSchedule:
    """Generator alone, discriminator alone, then a cycle of generator, discriminator and retrieval steps.

    Attributes:
        warmup_generator: Batches for the generator alone, at least 0.
        warmup_discriminator: Batches for the discriminator alone after them, at least 0.
        generator_steps: Generator batches in a cycle; 0 leaves the generator as its start or its warm-up made it.
        discriminator_steps: Discriminator batches in a cycle; 0 leaves the discriminator as its warm-up made it.
        retrieval_steps: Retrieval batches in a cycle, at least 1.

    Raises:
        InputError: When a number is out of range.
    """

    warmup_generator: int = 0
    warmup_discriminator: int = 0
    generator_steps: int = 1
    discriminator_steps: int = 1
    retrieval_steps: int = 4

    def __post_init__(self) -> None:
        for name in ("warmup_generator", "warmup_discriminator", "generator_steps", "discriminator_steps"):
            must_be_in(f"schedule.{name}", getattr(self, name), "[0, inf)")
        must_be_in("schedule.retrieval_steps", self.retrieval_steps, "[1, inf)")

    def rotation(self) -> StagedRotation:
        """Whose turn each batch of a run is: 0 for the generator, 1 for the discriminator, 2 for retrieval."""
        steps = (self.generator_steps, self.discriminator_steps, self.retrieval_steps)
        return StagedRotation(steps, self.warmup_generator + self.warmup_discriminator, self.warmup_generator)
