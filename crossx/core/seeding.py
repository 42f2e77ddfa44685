"""Stateless random numbers: each draw in training is a function of (seed, index) or (seed, batches done, rank)."""

import os
from enum import IntEnum

import numpy as np

from crossx.core.checks import must_be_in


def run_seed() -> int:
    """Seed of the run, set by `seed_everything` (in the config or of Lightning); 0 where it was not set."""
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))


def check_seed(seed: object, field: str) -> None:
    """Refuse a seed that torch or numpy would not accept.

    Args:
        seed: A number; or true, false or None, which Lightning handles.
        field: The config field, for the message.

    Raises:
        InputError: When the number is out of range.
    """
    if isinstance(seed, int):
        must_be_in(field, seed, f"[0, {2**32 - 1}]")


class Stream(IntEnum):
    """Purposes of random draws; draws for different purposes at the same position are independent."""

    LATENTS = 0
    REAL_PAIRS = 1
    REPLAY = 2
    NOISE_PAIRS = 3
    BACKGROUNDS = 4
    OTHER_PAIRS = 5
    IMAGE_ORDER = 6


def philox(seed: int, index: int, stream: Stream) -> np.random.Generator:
    """Random generator as a pure function of its arguments (counter-based Philox).

    Args:
        seed: Seed of the run.
        index: Position in the stream.
        stream: Purpose of the draws.
    """
    return np.random.Generator(np.random.Philox(key=[seed, index], counter=[0, 0, 0, stream]))
