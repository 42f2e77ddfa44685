"""Checks of the trainer's settings that hold for every run."""

from jsonargparse import Namespace

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError


def check_length(trainer: Namespace) -> None:
    """Check the numbers of steps.

    Args:
        trainer: The trainer's arguments.

    Raises:
        InputError: When `max_steps` and `max_epochs` are both set, or a number is out of range.
    """
    if trainer.max_steps != -1 and trainer.max_epochs not in (None, -1):
        raise InputError(
            f"trainer.max_epochs: must be -1 where trainer.max_steps is set, got {trainer.max_epochs} and "
            f"trainer.max_steps: {trainer.max_steps}; with both, a run that resumes at an epoch's end trains "
            "nothing"
        )
    must_be_in("trainer.log_every_n_steps", trainer.log_every_n_steps or 0, "[0, inf)")
