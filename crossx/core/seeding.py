"""Stateless randomness: everything drawn in training is a function of (seed, index) or (seed, batches done, rank)."""

import os
from enum import IntEnum

import numpy as np

from crossx.core.errors import InputError


def run_seed() -> int:
    """The run's seed, as `seed_everything` (key of the config, function of Lightning) has set it; 0 otherwise."""
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))


def check_seed(seed: object, field: str) -> None:
    """Refuse a seed that torch and numpy do not both take.

    Args:
        seed: A number, or true, false or None, which leave it to Lightning.
        field: Where the user named it, for the message.

    Raises:
        InputError: When the number is out of range.
    """
    if isinstance(seed, int) and not 0 <= seed < 2**32:
        raise InputError(f"{field}: {seed} is not legal; from 0 to {2**32 - 1}")


class Stream(IntEnum):
    """Purposes of random draws: draws of different purposes at the same place are independent."""

    LATENTS = 0
    REAL_PAIRS = 1
    REPLAY = 2
    NOISE_PAIRS = 3
    BACKGROUNDS = 4
    OTHER_PAIRS = 5


def philox(seed: int, index: int, stream: Stream = Stream.LATENTS) -> np.random.Generator:
    """A generator that is a pure function of its arguments (counter-based Philox).

    Args:
        seed: The run's seed.
        index: Place in the stream.
        stream: Purpose of the draws.
    """
    return np.random.Generator(np.random.Philox(key=[seed, index], counter=[0, 0, 0, stream]))
