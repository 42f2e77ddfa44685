"""Batches of five-element rows, and their points against the rows of each drawing by itself."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from crossx.core.errors import InputError
from crossx.finegrained.sequences import five_batch, points_of
from crossx.strokes.five import from_five, to_five
from crossx.strokes.sequence import Strokes

SCALE = 0.125


def stroke(*points: tuple[float, float]) -> npt.NDArray[np.float32]:
    return np.array(points, dtype=np.float32)


DRAWINGS: list[Strokes] = [
    [stroke((0.25, 0.5), (0.75, 0.5)), stroke((0.25, 0.25), (0.5, 0.75), (0.75, 0.25))],
    [stroke((0.25, 0.25)), stroke((0.5, 0.25), (0.5, 0.75)), stroke((0.75, 0.75))],
    [stroke((0.125, 0.125))],
]


def test_rows_are_padded_with_end_rows() -> None:
    batch = five_batch([to_five(drawing, SCALE) for drawing in DRAWINGS], SCALE)
    assert batch.rows.shape == (3, 6, 5)
    assert batch.rows.dtype == torch.float32
    assert batch.length.tolist() == [5, 4, 1]
    assert batch.scale == SCALE
    for rows, count, drawing in zip(batch.rows, batch.length, DRAWINGS, strict=True):
        assert (rows[count:] == torch.tensor([0.0, 0, 0, 0, 1])).all()
        assert [s.tolist() for s in from_five(rows.numpy(), SCALE)] == [s.tolist() for s in drawing]


def test_points_and_drawn_lines_by_hand() -> None:
    batch = five_batch([to_five(drawing, SCALE) for drawing in DRAWINGS], SCALE)
    points, down = points_of(batch.rows, batch.length, batch.scale)
    assert points.shape == (3, 6 + 4, 2)  # the second drawing has two dots
    assert down.tolist() == [
        [0, 1, 0, 1, 1, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0, 1, 0, 1],
        [0, 0, 0, 0, 0, 0, 0, 1, 0, 0],
    ]
    assert points[0, :5].tolist() == np.concatenate(DRAWINGS[0]).tolist()
    assert points[1, :4].tolist() == np.concatenate(DRAWINGS[1]).tolist()
    assert points[1, 6:].tolist() == [[0.25, 0.25]] * 2 + [[0.75, 0.75]] * 2
    assert points[2, 6:8].tolist() == [[0.125, 0.125]] * 2


def test_without_dots_there_are_as_many_points_as_rows() -> None:
    batch = five_batch([to_five(DRAWINGS[0], SCALE)], SCALE)
    points, down = points_of(batch.rows, batch.length, batch.scale)
    assert points.shape == (1, 6, 2)
    assert down.sum() == 3


def test_an_empty_drawing_has_nothing_drawn() -> None:
    rows = torch.tensor([[[0.0, 0, 0, 0, 1]] * 3])
    _, down = points_of(rows, torch.tensor([0]), SCALE)
    assert (down == 0).all()


def test_offsets_behind_the_end_count_nothing() -> None:
    batch = five_batch([to_five(drawing, SCALE) for drawing in DRAWINGS], SCALE)
    rows = batch.rows.clone()
    rows[0, 5:, :2] = 7.0
    for clean, dirty in zip(
        points_of(batch.rows, batch.length, SCALE), points_of(rows, batch.length, SCALE), strict=True
    ):
        torch.testing.assert_close(clean, dirty)


def test_an_offset_moves_all_points_behind_it() -> None:
    batch = five_batch([to_five(DRAWINGS[0], SCALE)], SCALE)
    rows = batch.rows.clone().requires_grad_()
    points, _ = points_of(rows, batch.length, SCALE)
    points[0, :5, 0].sum().backward()  # type: ignore[no-untyped-call]
    assert rows.grad is not None
    assert rows.grad[0, :, 0].tolist() == [5 * SCALE, 4 * SCALE, 3 * SCALE, 2 * SCALE, SCALE, 0]


def test_bad_lists() -> None:
    with pytest.raises(InputError, match=r"^drawings: must have at least one drawing, got none$"):
        five_batch([], SCALE)
