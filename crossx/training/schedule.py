"""Which phase a batch belongs to: a pure function of the batches done, so that processes and resumed runs agree."""

from dataclasses import dataclass

from crossx.core.errors import InputError


@dataclass(frozen=True)
class Schedule:
    """Generators alone for a warm-up, then k generator steps and m encoder steps in turn.

    Attributes:
        warmup: Batches for the generators alone.
        generator_steps: k, generator batches in a cycle; 0 leaves the generators as the warm-up made them.
        encoder_steps: m, encoder batches in a cycle.

    Raises:
        InputError: When a number is negative, or encoders would never train.
    """

    warmup: int = 0
    generator_steps: int = 1
    encoder_steps: int = 1

    def __post_init__(self) -> None:
        for name, least in (("warmup", 0), ("generator_steps", 0), ("encoder_steps", 1)):
            value = getattr(self, name)
            if value < least:
                raise InputError(f"schedule.{name}: {value} is not legal; at least {least}")

    def trains_encoders(self, batches_done: int) -> bool:
        """Whether the coming batch trains the encoders (and not the generators)."""
        if batches_done < self.warmup:
            return False
        return (batches_done - self.warmup) % (self.generator_steps + self.encoder_steps) >= self.generator_steps
