from collections import Counter

import pytest
import torch
from support.host_reads import no_host_reads

from crossx.pairs.pool import RingPool
from crossx.types import PairBatch, TeacherOutput

RINGS = 3


def pairs(first: int, count: int) -> PairBatch:
    """Pairs that show their numbers in everything."""
    number = torch.arange(first, first + count)
    image = (number % 256 / 255)[:, None, None, None].expand(-1, 3, 4, 4)
    output = TeacherOutput(number[:, None].float(), -number[:, None].float())
    return PairBatch(image, 1 - image, output, output, number)


def recalled(pool: RingPool, count: int = 400) -> list[int]:
    return pool.recall(torch.rand(2, count, generator=torch.Generator().manual_seed(0))).target.tolist()


def pool_of(places: int) -> RingPool:
    return RingPool(pairs(0, 1), RINGS, places)


@pytest.mark.parametrize("sizes", [[1] * 12, [12], [5, 7], [1, 11], [2, 1, 9]])
def test_ring_keeps_its_newest_pairs_however_they_come(sizes: list[int]) -> None:
    """Also where one batch has more pairs of a ring than the ring has places."""
    pool, first = pool_of(places=4), 0
    for size in sizes:
        ring = torch.arange(first, first + size) % 2 * 2  # by turns of the rings 0 and 2
        pool.remember(pairs(first, size), ring)
        first += size
    assert len(pool) == 8
    assert set(recalled(pool)) == {4, 5, 6, 7, 8, 9, 10, 11}


def test_rings_are_drawn_alike_however_full_they_are() -> None:
    pool = pool_of(places=50)
    pool.remember(pairs(0, 20), torch.ones(20, dtype=torch.int64))
    pool.remember(pairs(20, 1), torch.full((1,), 2))
    counts = Counter(number == 20 for number in recalled(pool))
    assert counts[True] / counts.total() == pytest.approx(0.5, abs=0.1)  # 4 standard deviations
    assert set(recalled(pool)) == set(range(21))


def test_smallest_and_largest_numbers_choose_the_first_and_the_last() -> None:
    """In float32 the largest number below 1, times 7, rounds up to 7."""
    pool = RingPool(pairs(0, 1), rings=7, places=3)
    pool.remember(pairs(0, 21), torch.arange(21) // 3)
    largest = 1 - 2**-24
    assert pool.recall(torch.tensor([[0.0, largest], [0.0, largest]])).target.tolist() == [0, 20]


def test_what_is_recalled_is_a_copy() -> None:
    pool = pool_of(places=2)
    pool.remember(pairs(5, 1), torch.zeros(1, dtype=torch.int64))
    found = pool.recall(torch.zeros(2, 1))
    assert found.photo.dtype == torch.float32
    torch.testing.assert_close(found.photo, pairs(5, 1).photo)
    found.target.fill_(-1)
    found.photo_teacher.logits.fill_(-1)
    assert pool.recall(torch.zeros(2, 1)).target.tolist() == [5]
    assert pool.recall(torch.zeros(2, 1)).photo_teacher.logits.tolist() == [[5]]


def test_an_empty_pool_gives_nothing() -> None:
    with pytest.raises(RuntimeError, match="must come after remember, got an empty pool"):
        pool_of(places=2).recall(torch.zeros(2, 1))


def test_device_is_never_waited_for() -> None:
    pool = pool_of(places=4)
    with no_host_reads():
        for step in range(3):
            pool.remember(pairs(10 * step, 10), torch.arange(10) % RINGS)
            pool.recall(torch.rand(2, 5))
    with pytest.raises(AssertionError, match="_local_scalar_dense"), no_host_reads():
        len(pool)
