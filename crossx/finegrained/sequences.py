"""Five-element rows as batches, and the points that they stand for."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from crossx.core.errors import InputError
from crossx.finegrained.types import FiveBatch
from crossx.strokes.five import CENTRE, DRAW, END, LIFT, Rows


def five_batch(drawings: Sequence[Rows], scale: float) -> FiveBatch:
    """Collate drawings into a batch, padded with end rows.

    Args:
        drawings: B drawings as `crossx.strokes.five.to_five` writes them, (L + 1, 5) each, the end row last.
        scale: The scale that they were written with.

    Returns:
        A batch on the CPU.

    Raises:
        InputError: When there is no drawing.
    """
    if not drawings:
        raise InputError("drawings: must have at least one drawing, got none")
    rows = torch.zeros(len(drawings), max(map(len, drawings)), 5)
    rows[:, :, END] = 1
    for batch_row, drawing in zip(rows, drawings, strict=True):
        batch_row[: len(drawing)] = torch.from_numpy(drawing)
    return FiveBatch(rows, torch.tensor([len(drawing) - 1 for drawing in drawings]), scale)


def points_of(rows: Tensor, length: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Absolute points of drawings, and which of the lines that lead to them are drawn, for `soft_rasterise`.

    Differentiable in the offsets, and in the pen's draw column as far as it says how much of a line is drawn.

    Args:
        rows: (B, L, 5) as in `FiveBatch` and `Drawing`.
        length: Rows before the end row, (B,).
        scale: Length that counts as 1 in the rows, in sides of the unit square.

    Returns:
        Points in sides of the unit square, (B, P, 2), and `down`, (B, P), which is 1 where the line from the point
        before is drawn, and 0 for the first point and for padding. P is L, and two more for each stroke of one point
        of the drawing that has most of them: such a dot is repeated at the end as a line without length.
    """
    real = torch.arange(rows.shape[1], device=rows.device) < length[:, None]
    points = CENTRE + (rows[..., :DRAW] * scale * real[..., None]).cumsum(1)
    down = pad(rows[:, :-1, DRAW], (1, 0)) * real
    lifted = (rows[..., DRAW:].argmax(-1) == LIFT - DRAW) & real
    last = lifted | (torch.arange(rows.shape[1], device=rows.device) == length[:, None] - 1)
    dot = last & pad(lifted[:, :-1], (1, 0), value=True)
    most = int(dot.sum(1).max())
    if not most:
        return points, down
    order = dot.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :most]
    dots = points.gather(1, order[..., None].expand(-1, -1, 2)).repeat_interleave(2, 1)
    drawn = dot.gather(1, order).to(down.dtype)
    ink = torch.stack([torch.zeros_like(drawn), drawn], 2).flatten(1)
    return torch.cat([points, dots], 1), torch.cat([down, ink], 1)
