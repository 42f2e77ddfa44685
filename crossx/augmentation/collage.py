"""Images pasted on canvases, so that a network sees more than generators draw."""

import torch
from torch import Tensor

from crossx.augmentation.base import Augmentation
from crossx.augmentation.canvases import Canvas
from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox, run_seed


class Collage(Augmentation):
    """Paste a share of the images on canvases that chance has drawn.

    Generated images look alike: one generator has one palette and few layouts, and a network that starts at random and
    sees nothing else knows its teacher there only. Canvases are drawn by chance and need no data either; what a
    collage shows, the teacher has to say.

    The canvases are drawn when the first images come, and used again; the run's seed fixes them, and torch's generator
    which image is pasted on which. Where whole pairs are learned from (`InfoNCELoss`), mind that a pasted photo and its
    sketch may no longer show one class.

    Args:
        canvas: What images are pasted on: `DeadLeaves` for photos, `Scribbles` for sketches.
        share: Probability of each image to be pasted; the others stay as they are.
        stock: Canvases, kept as uint8 on the images' device. 4,096 take 13 MB and some ten seconds of a CPU at 32 px,
            620 MB at 224 px, where they are for GPUs.

    Raises:
        InputError: When `share` or `stock` is out of range, or the canvas draws something else than it was asked for.
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
        self._drawn: dict[tuple[object, ...], Tensor] = {}

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to collages and images, of the same shape and range."""
        key = (run_seed(), images.shape[1:], images.device)
        if key not in self._drawn:
            self._drawn[key] = self._draw(images)
        canvases = self._drawn[key]
        chosen = torch.randint(len(canvases), (len(images),), device=images.device)
        pasted = torch.rand(len(images), 1, 1, 1, device=images.device) < self.share
        return torch.where(pasted, self.canvas.paste(images, canvases[chosen].to(images.dtype) / 255), images)

    def _draw(self, images: Tensor) -> Tensor:
        """The stock for images like these, as uint8."""
        generator = torch.Generator(images.device)
        generator.manual_seed(int(philox(run_seed(), 0, Stream.BACKGROUNDS).integers(2**63)))
        drawn = torch.empty((self.stock, *images.shape[1:]), dtype=torch.uint8, device=images.device)
        for part in torch.split(drawn, _AT_ONCE):
            canvases = self.canvas.draw(len(part), images.shape[2], images.shape[3], generator)
            if canvases.shape != part.shape or canvases.device != part.device:
                raise InputError(
                    f"canvas: {type(self.canvas).__name__} drew {tuple(canvases.shape)} on {canvases.device}, and must "
                    f"draw {tuple(part.shape)} on {part.device}, its generator's device"
                )
            part.copy_(canvases.mul(255).round())
        return drawn


_AT_ONCE = 128
"""Canvases drawn in one go: while they are drawn they take some 20 times their memory."""
