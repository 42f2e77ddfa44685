"""Pictures of five-element rows, as the encoders take them."""

from torch import Tensor

from crossx.finegrained.drawing.measures import pictures
from crossx.strokes.five import from_five


def images_of(rows: Tensor, length: Tensor, scale: float, size: int, width: float | None) -> Tensor:
    """Rasterise drawings, without gradient.

    Args:
        rows: (B, L, 5) as in `FiveBatch`.
        length: Rows before the end row, (B,).
        scale: Length that counts as 1 in the rows, in sides of the unit square.
        size: Side of the pictures in pixels.
        width: Line width in pixels; see `pictures`.

    Returns:
        (B, 3, size, size) float32 in [0, 1] on the rows' device, dark on white; white where a drawing has no point.
    """
    drawings = zip(rows.detach().float().cpu().numpy(), length.tolist(), strict=True)
    return pictures([from_five(own[:points], scale) for own, points in drawings], size, width).to(rows.device)
