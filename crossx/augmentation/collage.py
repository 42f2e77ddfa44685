"""Images pasted on canvases, so that a network sees more than generators draw."""

import torch
from torch import Tensor

from crossx.augmentation.base import Augmentation
from crossx.augmentation.canvases import Canvas
from crossx.errors import InputError
from crossx.seeding import run_seed


class Collage(Augmentation):
    """Paste a share of the images on canvases that chance has drawn.

    Generated images look alike: one generator has one palette and few layouts, and a network that starts at random and
    sees nothing else knows its teacher there only. Canvases are drawn by chance and need no data either; what a
    collage shows, the teacher has to say.

    The canvases are drawn when the first images come, as many as `stock`, and used again.

    Args:
        canvas: What images are pasted on: `DeadLeaves` for photos, `Scribbles` for sketches.
        share: Probability of each image to be pasted; the others stay as they are.
        stock: Canvases, kept as uint8 on the images' device: 13 MB at 32 px, 620 MB at 224 px.

    Raises:
        InputError: When `share` or `stock` is out of range.
    """

    new_content = True

    def __init__(self, canvas: Canvas, share: float = 0.5, stock: int = 4096) -> None:
        if not 0 < share <= 1:
            raise InputError(f"augmentation: share {share} is not legal; above 0, up to 1")
        if stock < 1:
            raise InputError(f"augmentation: stock {stock} is not legal; at least 1 canvas")
        self.canvas = canvas
        self.share = share
        self.stock = stock
        self._canvases: Tensor | None = None

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to collages and images, of the same shape and range."""
        canvases = self._canvases_for(images)
        drawn = canvases[torch.randint(len(canvases), (len(images),), device=images.device)].to(images.dtype) / 255
        pasted = torch.rand(len(images), 1, 1, 1, device=images.device) < self.share
        return torch.where(pasted, self.canvas.paste(images, drawn), images)

    def _canvases_for(self, images: Tensor) -> Tensor:
        have = self._canvases
        if have is None or have.shape[1:] != images.shape[1:] or have.device != images.device:
            generator = torch.Generator(images.device).manual_seed(run_seed())
            counts = [min(_AT_ONCE, self.stock - done) for done in range(0, self.stock, _AT_ONCE)]
            drawn = (self.canvas.draw(count, images.shape[2], images.shape[3], generator) for count in counts)
            have = self._canvases = torch.cat([canvases.mul(255).round().to(torch.uint8) for canvases in drawn])
        return have


_AT_ONCE = 128
"""Canvases drawn in one go: their parts are drawn beside one another and take some 100 times a canvas's memory."""
