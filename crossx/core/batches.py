"""Operations on the rows of batch dataclasses: stacking items, taking rows, concatenating batches."""

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

Batch = TypeVar("Batch")


def _combine(values: Sequence[Any], combine: Callable[[list[Tensor]], Tensor]) -> Any:  # noqa: ANN401 - any field
    first = values[0]
    if isinstance(first, Tensor):
        return combine(list(values))
    if is_dataclass(first) and not isinstance(first, type):
        parts = {f.name: _combine([getattr(v, f.name) for v in values], combine) for f in fields(first)}
        return type(first)(**parts)
    if first is None or first == [] or isinstance(first, str):  # an absent part, no statistics; what all rows are
        return first
    raise TypeError(f"a field of type {type(first).__name__} has no rows")


def stack(items: Sequence[Batch]) -> Batch:
    """Stack items without a batch dimension into a batch; the loader's collate function."""
    result: Batch = _combine(items, torch.stack)
    return result


def concatenate(batches: Sequence[Batch]) -> Batch:
    """Concatenate batches along the batch dimension."""
    result: Batch = _combine(batches, torch.cat)
    return result


def take(batch: Batch, rows: Tensor | slice) -> Batch:
    """Take some rows of a batch."""
    result: Batch = _combine([batch], lambda values: values[0][rows])
    return result
