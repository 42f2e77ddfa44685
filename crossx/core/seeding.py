"""Stateless random numbers: each draw in training is a function of (seed, index) or (seed, batches done, rank)."""

import os
from collections.abc import Callable
from enum import IntEnum, unique

import numpy as np
import torch

from crossx.core.checks import must_be_in

_GIVEN, _DERIVED = "PL_GLOBAL_SEED", "CROSSX_DERIVED_SEED"
"""Where the seed stands: in the environment, which the workers of loaders inherit.

The first is that of `seed_everything`, the second that of the run; it holds for as long as the first is what it was.
"""
_MOST = 2**32
"""Bound of the seeds that Lightning and numpy take; one of the system's entropy is larger."""
_at_import = torch.initial_seed()
_set_by_crossx: int | None = None


def run_seed() -> int:
    """Seed of the run: the one that `settle_seed` fixed, else that of `seed_everything`; 0 before the first run."""
    given = os.environ.get(_GIVEN, "")
    seed, _, beside = os.environ.get(_DERIVED, "").partition("/")
    return int((seed if beside == given else given) or 0)


def coming_seed() -> int:
    """Seed of the run that comes next, as the user last set it, by `torch.manual_seed` or `seed_everything`.

    A seed of torch that needs more than 32 bits is hashed to 32. Seeds that crossx gives to torch itself, at each batch
    of earlier runs in the same process, do not count as set by the user.
    """
    seed = torch.initial_seed()
    untouched = seed == _at_import and seed >= _MOST
    if seed == _set_by_crossx or (untouched and os.environ.get(_GIVEN)):
        return run_seed()
    return seed if seed < _MOST else int(np.random.SeedSequence(seed).generate_state(1)[0])


def settle_seed(broadcast: Callable[[int], int]) -> None:
    """Fix the seed of the run that begins; to be called on all processes.

    Args:
        broadcast: Sends the seed of the first process to all.
    """
    _settle(broadcast(coming_seed()))


def keep_seed(seed: int) -> None:
    """Fix the seed of a run that is built, so that parts which seed torch in their constructors do not change it.

    A seed that the user sets afterwards counts.

    Args:
        seed: The seed that the user asked for.
    """
    global _set_by_crossx
    _settle(seed)
    _set_by_crossx = torch.initial_seed()


def _settle(seed: int) -> None:
    os.environ[_DERIVED] = f"{seed}/{os.environ.get(_GIVEN, '')}"


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


@unique  # equal numbers would make one of two purposes an alias of the other, in silence
class Stream(IntEnum):
    """Purposes of random draws; draws for different purposes at the same position are independent."""

    LATENTS = 0
    REAL_PAIRS = 1
    REPLAY = 2
    NOISE_PAIRS = 3
    BACKGROUNDS = 4
    OTHER_PAIRS = 5
    IMAGE_ORDER = 6
    PROCEDURAL_SKETCHES = 7
    LABELLED = 8
    LABELLED_ORDER = 9
    FREE = 10
    FREE_ORDER = 11
    DRAWINGS = 12
    COLOURED = 13
    SYNTHESIZED = 14
    BANK = 20
    HELD_OUT = 21


def philox(seed: int, index: int, stream: Stream) -> np.random.Generator:
    """Random generator as a pure function of its arguments (counter-based Philox).

    Args:
        seed: Seed of the run.
        index: Position in the stream.
        stream: Purpose of the draws.
    """
    return np.random.Generator(np.random.Philox(key=[seed, index], counter=[0, 0, 0, stream]))
