"""Pictures of five-element drawings, as the encoders take them."""

import numpy as np
import torch
from torch import Tensor

from crossx.strokes.five import from_five
from crossx.strokes.raster import rasterise


def images_of(rows: Tensor, length: Tensor, scale: float, size: int, width: float) -> Tensor:
    """Rasterise drawings, without gradient.

    Args:
        rows: (B, L, 5) as in `FiveBatch`.
        length: Rows before the end row, (B,).
        scale: Length that counts as 1 in the rows, in sides of the unit square.
        size: Side of the pictures in pixels.
        width: Width of the lines in pixels.

    Returns:
        (B, 3, size, size) float32 in [0, 1] on the rows' device, dark on white; white where a drawing has no point.
    """
    images = np.empty((len(rows), size, size), np.uint8)
    drawings = rows.detach().float().cpu().numpy()
    for image, drawing, points in zip(images, drawings, length.tolist(), strict=True):
        # A generator may leave the canvas; the part outside is not seen, and the rasteriser refuses what is far away.
        strokes = [stroke.clip(-1, 2) for stroke in from_five(drawing[:points], scale)]
        image[:] = rasterise(strokes, size, width)
    grey = torch.from_numpy(images).to(rows.device).float() / 255
    return grey[:, None].expand(-1, 3, -1, -1)
