from dataclasses import dataclass

import pytest
import torch

from crossx.core.batches import concatenate, stack, take
from crossx.types import ImageBatch, LatentBatch, LayerStatistics, PairBatch, TeacherOutput


def latents(first: int, count: int, photo: bool = False) -> LatentBatch:
    index = torch.arange(first, first + count)
    noise = index[:, None] * torch.tensor([1.0, 10.0])
    return LatentBatch(index, noise, index / 100, noise.clone() if photo else None)


def pairs(first: int, count: int) -> PairBatch:
    index = torch.arange(first, first + count)
    images = index.float()[:, None, None, None].expand(-1, 3, 2, 2)
    output = TeacherOutput(index[:, None].expand(-1, 4) + 0.5, index[:, None].expand(-1, 5) + 0.25)
    return PairBatch(images, -images, output, TeacherOutput(-output.logits, -output.features), index)


def test_stack_adds_the_batch_dimension() -> None:
    items = [take(latents(0, 3), torch.tensor(i)) for i in range(3)]
    assert items[1].noise.shape == (2,)
    batch = stack(items)
    assert torch.equal(batch.noise, latents(0, 3).noise)
    assert torch.equal(batch.uniform, latents(0, 3).uniform)
    assert batch.photo is None


def test_take_by_index_keeps_rows_together() -> None:
    found = take(pairs(0, 5), torch.tensor([4, 0, 4]))
    assert found.target.tolist() == [4, 0, 4]
    assert found.photo[:, 0, 0, 0].tolist() == [4, 0, 4]
    assert found.sketch[:, 2, 1, 1].tolist() == [-4, 0, -4]
    assert found.photo_teacher.logits[:, 3].tolist() == [4.5, 0.5, 4.5]
    assert found.sketch_teacher.features[:, 0].tolist() == [-4.25, -0.25, -4.25]
    assert found.photo_teacher.statistics == []


def test_take_by_slice_and_concatenate_are_inverse() -> None:
    whole = pairs(0, 6)
    again = concatenate([take(whole, slice(2)), take(whole, slice(2, 5)), take(whole, slice(5, None))])
    assert isinstance(again, PairBatch)
    assert isinstance(again.photo_teacher, TeacherOutput)
    for name in ("photo", "sketch", "target"):
        assert torch.equal(getattr(again, name), getattr(whole, name))
    for name in ("logits", "features"):
        assert torch.equal(getattr(again.sketch_teacher, name), getattr(whole.sketch_teacher, name))


def test_parts_that_are_there_are_kept() -> None:
    batch = concatenate([latents(0, 2, photo=True), latents(5, 1, photo=True)])
    assert batch.photo is not None
    assert batch.photo[:, 0].tolist() == [0, 1, 5]
    assert batch.sketch is None


def test_taking_changes_nothing() -> None:
    batch = latents(0, 4)
    take(batch, torch.tensor([2]))
    assert batch.index.tolist() == [0, 1, 2, 3]


def test_what_has_no_rows_is_refused() -> None:
    """Statistics belong to a whole batch: none of its rows has them."""
    output = TeacherOutput(torch.zeros(2, 3), torch.zeros(2, 4))
    output.statistics = [LayerStatistics(*torch.zeros(4, 5))]
    with pytest.raises(TypeError, match="a field of type list has no rows"):
        take(output, slice(1))

    @dataclass
    class Counted:
        count: int

    with pytest.raises(TypeError, match="type int"):
        stack([Counted(1), Counted(2)])


def test_what_all_rows_are_stays() -> None:
    items = [ImageBatch(torch.zeros(3, 2, 2), torch.tensor(i), torch.tensor(i), "sketch") for i in range(2)]
    batch = stack(items)
    assert (batch.modality, batch.index.tolist(), batch.image.shape) == ("sketch", [0, 1], (2, 3, 2, 2))
