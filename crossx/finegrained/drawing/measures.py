"""How drawings compare with real ones: ends, lengths, and whether a sketch teacher names them right."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from crossx.finegrained.types import Drawing
from crossx.strokes.five import LIFT, from_five
from crossx.strokes.quickdraw import line_width
from crossx.strokes.raster import rasterise_batch
from crossx.strokes.sequence import Strokes


def strokes_of(drawing: Drawing, scale: float) -> list[Strokes]:
    """Strokes of each drawing, in sides of the unit square; none for a drawing that ended at once.

    Args:
        drawing: B drawings.
        scale: The generator's scale.
    """
    rows, length = drawing.rows.cpu().numpy(), drawing.length.tolist()
    return [from_five(own[:points], scale) if points else [] for own, points in zip(rows, length, strict=True)]


def pictures(drawings: Sequence[Strokes], size: int, width: float | None = None) -> Tensor:
    """Drawings as sketches, dark on white, (B, 3, S, S) in [0, 1]; lines far outside of the canvas are cut off.

    Args:
        drawings: B drawings in the unit square.
        size: Side S in pixels.
        width: Line width in pixels, such as the mean of the real sketches; None for that of Quick, Draw! drawings.
    """
    on_paper = [[np.clip(stroke, -0.9, 1.9) for stroke in drawing] for drawing in drawings]
    found = rasterise_batch(on_paper, size, line_width(size) if width is None else width)
    return torch.from_numpy(found).float().div(255)[:, None].expand(-1, 3, -1, -1).contiguous()


def stroke_counts(drawing: Drawing) -> Tensor:
    """Strokes of each drawing, (B,) int64: lifts, and the stroke that a cut or an end leaves without one."""
    places = torch.arange(drawing.rows.shape[1], device=drawing.rows.device)
    lifts = (drawing.rows[..., LIFT] == 1) & (places < drawing.length[:, None])
    last = drawing.rows.gather(1, (drawing.length.clamp(min=1) - 1).view(-1, 1, 1).expand(-1, 1, 5))[:, 0]
    return lifts.sum(1) + ((drawing.length > 0) & (last[:, LIFT] != 1))


def wasserstein(first: Tensor, second: Tensor) -> Tensor:
    """Wasserstein-1 distance of two samples of numbers, (N,) and (M,), as a scalar in their unit."""
    both = torch.cat([first, second]).double().sort().values
    shares = [
        torch.searchsorted(s.double().sort().values, both[:-1].contiguous(), right=True) / len(s)
        for s in (first, second)
    ]
    return ((shares[0] - shares[1]).abs() * both.diff()).sum().float()


class DrawingMeasures(Metric):
    """Measures of the drawings of a whole split, in any number of processes.

    `compute` returns, of generated drawings, `ended` (share that ended by themselves), `points` and `strokes` (means),
    `points_distance` and `strokes_distance` (Wasserstein-1 to the real ones as a share of the real mean) where there
    are real strokes, and `named_right` (share whose class a sketch teacher names) beside `named_right_real` where there
    is a teacher. What was counted is kept in `generated` and `real` after `compute`, (N, 2) points and strokes.
    """

    full_state_update = False
    generated_lengths: list[Tensor]
    real_lengths: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in ("generated_lengths", "real_lengths"):
            self.add_state(name, default=[], dist_reduce_fx="cat")
        self.generated, self.real = torch.zeros(0, 2), torch.zeros(0, 2)

    def update(self, index: Tensor, lengths: Tensor, ended: Tensor | None = None, right: Tensor | None = None) -> None:
        """Add drawings.

        Args:
            index: Place of each in the list of its modality, (B,); repeated ones count once.
            lengths: Points and strokes, (B, 2).
            ended: Whether each ended by itself, (B,); None for real drawings.
            right: Whether the sketch teacher names each one's class, (B,); None without a teacher.
        """
        named = torch.full_like(index, -1) if right is None else right.long()
        ends = torch.ones_like(index) if ended is None else ended.long()
        rows = torch.stack([index, *lengths.long().unbind(1), ends, named], 1)
        (self.real_lengths if ended is None else self.generated_lengths).append(rows)

    def compute(self) -> dict[str, Tensor]:
        """Return the measures; without a drawing none."""
        drawn, real = (_once(found) for found in (self.generated_lengths, self.real_lengths))
        self.generated, self.real = drawn[:, 1:3].cpu(), real[:, 1:3].cpu()
        if not len(drawn):
            return {}
        found = {"ended": drawn[:, 3].float().mean()}
        for column, name in enumerate(("points", "strokes"), 1):
            found[name] = drawn[:, column].float().mean()
            if len(real):
                distance = wasserstein(drawn[:, column], real[:, column])
                found[f"{name}_distance"] = distance / real[:, column].float().mean()
        for rows, name in ((drawn, "named_right"), (real, "named_right_real")):
            if len(rows) and (rows[:, 4] >= 0).all():
                found[name] = rows[:, 4].float().mean()
        return found


def _once(found: list[Tensor]) -> Tensor:
    """Rows of all processes, one an index."""
    rows = dim_zero_cat(found) if found else torch.zeros(0, 5, dtype=torch.int64)
    order = rows[:, 0].argsort(stable=True)
    rows = rows[order]
    new = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
    new[1:] = rows[1:, 0] != rows[:-1, 0]
    return rows[new]
