"""Stateless random numbers: each draw in training is a function of (seed, index) or (seed, batches done, rank)."""

import os
from collections.abc import Callable
from enum import IntEnum

import numpy as np
import torch

from crossx.core.checks import must_be_in

_GIVEN, _DERIVED = "PL_GLOBAL_SEED", "CROSSX_DERIVED_SEED"
"""Where the seed stands: in the environment, which the workers of loaders inherit."""
_set_by_crossx: int | None = None


def run_seed() -> int:
    """Seed of the run: that of `seed_everything`, else the one that `settle_seed` derived; 0 before the first run."""
    return int(os.environ.get(_GIVEN) or os.environ.get(_DERIVED) or "0")


def coming_seed() -> int:
    """Seed of the run that comes next: that of `seed_everything`, else torch's, as the user last set it.

    A seed of torch that needs more than 32 bits is hashed to 32. Batches of earlier runs in the same process, which
    crossx seeds itself, do not count as set by the user.
    """
    seed = torch.initial_seed()
    if os.environ.get(_GIVEN) or (seed == _set_by_crossx and _DERIVED in os.environ):
        return run_seed()
    return seed if seed < 2**32 else int(np.random.SeedSequence(seed).generate_state(1)[0])


def settle_seed(broadcast: Callable[[int], int]) -> None:
    """Fix the seed of the run that begins, where `seed_everything` was not called; to be called on all processes.

    Args:
        broadcast: Sends the seed of the first process to all.
    """
    if not os.environ.get(_GIVEN):
        os.environ[_DERIVED] = str(broadcast(coming_seed()))


def seed_batch(batches: int, rank: int) -> None:
    """Seed torch for a training batch, as a function of the run's seed.

    Args:
        batches: Batches done since the start of training.
        rank: Rank of the process.
    """
    global _set_by_crossx
    state = np.random.SeedSequence([run_seed(), batches, rank]).generate_state(1)
    torch.manual_seed(int(state[0]))
    _set_by_crossx = torch.initial_seed()


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
