"""Differentiable rasterisation of stroke sequences.

Apart from `crossx.strokes.raster`, which needs no torch: a search server draws its users' strokes with that alone.
"""

import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError

SOFTNESS = 0.2
"""Softness of the edges of lines in pixels at which images are most like those of `rasterise`."""
_AWAY = 2.0
"""How far a line that is not drawn is moved away, in sides of the image: farther than any pixel."""
_AT_ONCE = 2**20
"""Distances that are in memory at once; each takes 4 bytes, and a few copies."""


def soft_rasterise(points: Tensor, down: Tensor, size: int, width: float, softness: float = SOFTNESS) -> Tensor:
    """Draw drawings as images through which gradients flow into the points.

    The darkness of a pixel is a sigmoid of its distance from the nearest line. Not a product over lines, as in
    "Differentiable Drawing and Sketching" (Mihai and Hare, 2021, arXiv 2103.16194), because a product darkens every
    joint twice.

    Args:
        points: (B, P, 2), x to the right and y down; the unit square becomes the image.
        down: How much of the line from the point before is drawn, in [0, 1], (B, P); the first point is a line to
            itself. The distance from a line grows by 2 (1 - down) sides of the image.
        size: Side S of the image in pixels.
        width: Line width in pixels, with round caps and joints.
        softness: Softness of the edges in pixels. Larger values blur, and pass gradients from farther away.

    Returns:
        (B, 1, S, S) in [0, 1], 1 for paper, in float32, or in float64 for points of that type. Only the nearest line
        of a pixel has a gradient, so that memory does not grow with P.

    Raises:
        InputError: When size, width or softness is not positive, or the shapes do not fit.
    """
    must_be_in("size", size, "[1, inf)")
    must_be_in("width", width, "(0, inf)")
    must_be_in("softness", softness, "(0, inf)")
    if points.ndim != 3 or points.shape[1] == 0 or points.shape[2] != 2 or down.shape != points.shape[:2]:
        raise InputError(
            f"points: must have the shape (B, P, 2) with P >= 1, and down (B, P), got {tuple(points.shape)} and "
            f"{tuple(down.shape)}"
        )
    dtype = torch.promote_types(points.dtype, torch.float32)  # bfloat16 has whole pixels only
    ends = points.to(dtype) * size
    starts = torch.cat([ends[:, :1], ends[:, :-1]], 1)
    away = (1 - down.to(dtype)) * (_AWAY * size)
    centres = torch.arange(size, dtype=dtype, device=points.device) + 0.5
    pixels = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1).flatten(0, 1)  # (S * S, 2)
    nearest = _nearest(pixels, starts.detach(), ends.detach(), away.detach())
    start, end = (_rows_at(values, nearest) for values in (starts, ends))  # (B, S * S, 2)
    # The nearest place on a line is a minimum, so the distance has no gradient with respect to that place.
    x, y = (pixels - start.detach()).unbind(-1)
    along = _along(x, y, (end - start).detach())[..., None]
    distance = torch.linalg.vector_norm(pixels - torch.lerp(start, end, along), dim=-1) + away.gather(1, nearest)
    return torch.sigmoid((distance - width / 2) / softness).view(-1, 1, size, size)


@torch.no_grad()
def _nearest(pixels: Tensor, starts: Tensor, ends: Tensor, away: Tensor) -> Tensor:
    """Index of the line that is nearest to each pixel, (B, S * S), found in chunks of lines."""
    least = torch.full((len(starts), len(pixels)), torch.inf, dtype=pixels.dtype, device=pixels.device)
    nearest = torch.zeros_like(least, dtype=torch.int64)
    step = max(1, _AT_ONCE // max(least.numel(), 1))
    for first in range(0, starts.shape[1], step):
        chunk = slice(first, first + step)
        start, line = starts[:, chunk, None], (ends - starts)[:, chunk, None]  # (B, step, 1, 2)
        x, y = (pixels[:, axis] - start[..., axis] for axis in (0, 1))  # (B, step, S * S), half the time of (..., 2)
        along = _along(x, y, line)
        x.addcmul_(along, line[..., 0], value=-1)
        y.addcmul_(along, line[..., 1], value=-1)
        distance = torch.hypot(x, y).add_(away[:, chunk, None])
        closest, which = distance.min(dim=1)
        nearer = closest < least
        least = torch.where(nearer, closest, least)
        nearest = torch.where(nearer, which + first, nearest)
    return nearest


def _along(x: Tensor, y: Tensor, line: Tensor) -> Tensor:
    """Where on a line the nearest place to a pixel is, in [0, 1] from start to end.

    Args:
        x: From the line's start to the pixel, (...).
        y: The same downwards, (...).
        line: From start to end, (..., 2).
    """
    direction = line / (line * line).sum(-1, keepdim=True).clamp_min(1e-12)  # a line may have no length
    return (x * direction[..., 0]).addcmul_(y, direction[..., 1]).clamp_(0, 1)


def _rows_at(values: Tensor, index: Tensor) -> Tensor:
    """Rows of (B, P, 2) at an index (B, N): (B, N, 2)."""
    return values.gather(1, index[..., None].expand(-1, -1, 2))
