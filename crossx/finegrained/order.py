"""Order in which training photos are seen: a pure function of the run's seed and the place in an endless stream."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from torch.utils.data import DistributedSampler

from crossx.core.seeding import Stream, philox


def shuffled(seed: int, place: int, count: int, stream: Stream) -> int:
    """Number at one place of a stream that has each number below `count` once an epoch.

    Args:
        seed: The run's seed.
        place: Place in the stream, from 0; the stream has no end.
        count: How many numbers there are.
        stream: Purpose of the draws; its positions are epochs.
    """
    epoch, position = divmod(place, count)
    return int(_permutation(seed, epoch, count, stream)[position])


@lru_cache(maxsize=8)  # the epochs of the streams of one run, and the ones that a batch reaches into
def _permutation(seed: int, epoch: int, count: int, stream: Stream) -> npt.NDArray[np.int64]:
    return philox(seed, epoch, stream).permutation(count)


class BatchNumbers(DistributedSampler[int]):
    """Numbers of the training batches from the first one that is not done; the same in all processes.

    A subclass of `DistributedSampler` because Lightning leaves those alone and wraps every other sampler.

    Args:
        length: Batches an epoch.
        batches_done: Called at the start of each epoch: training batches done since the very start.
    """

    def __init__(self, length: int, batches_done: Callable[[], int]) -> None:
        # The base class asks for a number of items, and the stream of batches has no end.
        super().__init__(range(length), num_replicas=1, rank=0, shuffle=False)  # type: ignore[arg-type]  # has a length
        self.length = length
        self.batches_done = batches_done

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        start = self.batches_done()
        return iter(range(start, start + self.length))
