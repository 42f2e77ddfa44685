from collections import deque

import pytest
import torch

from crossx.core.errors import InputError
from crossx.encoding.queue import KeyQueue


def rows(first: int, count: int) -> torch.Tensor:
    return torch.arange(first, first + count).float()[:, None].expand(count, 3).clone()


@pytest.mark.parametrize("size", [0, 1, 5, 7, 64])
@pytest.mark.parametrize("batch", [1, 3, 7, 10])
def test_holds_the_newest_rows_like_a_deque(size: int, batch: int) -> None:
    queue, expected, first = KeyQueue(size), deque[int](maxlen=size), 0
    for _ in range(12):
        queue.push(rows(first, batch), torch.arange(first, first + batch) % 4)
        expected.extend(range(first, first + batch))
        first += batch
        assert queue.keys is not None
        assert queue.classes is not None
        newest_first = list(reversed(expected))
        assert len(queue) == len(newest_first)
        assert queue.keys[:, 0].tolist() == newest_first
        assert queue.classes.tolist() == [i % 4 for i in newest_first]


def test_starts_empty() -> None:
    queue = KeyQueue(4)
    keys, classes = queue.behind(rows(0, 2), torch.tensor([0, 1]))
    assert len(queue) == 0
    assert keys.tolist() == rows(0, 2).tolist()
    assert classes.tolist() == [0, 1]


def test_behind_puts_the_batch_first() -> None:
    queue = KeyQueue(4)
    queue.push(rows(10, 2), torch.tensor([8, 9]))
    keys, classes = queue.behind(rows(0, 2), torch.tensor([0, 1]))
    assert keys[:, 0].tolist() == [0, 1, 11, 10]
    assert classes.tolist() == [0, 1, 9, 8]


def test_keeps_no_gradient_and_leaves_earlier_tensors_alone() -> None:
    queue = KeyQueue(3)
    batch = rows(0, 3).requires_grad_()
    queue.push(batch, torch.zeros(3).long())
    before, _ = queue.behind(rows(5, 1), torch.zeros(1).long())
    queue.push(rows(9, 2), torch.zeros(2).long())
    assert queue.keys is not None
    assert not queue.keys.requires_grad
    assert before[:, 0].tolist() == [5, 2, 1, 0]


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"^queue_size: must be at least 0, got -1$"):
        KeyQueue(-1)
