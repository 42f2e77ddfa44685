"""Images pasted onto procedural backgrounds, for inputs beyond what generators draw."""

import torch
from torch import Tensor

from crossx.augmentation.backgrounds import BackgroundGenerator
from crossx.augmentation.base import Augmentation
from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox, run_seed


class PasteOnto(Augmentation):
    """Random images pasted onto random procedural backgrounds, which need no data.

    The images of one generator share a palette and a few layouts. An encoder that starts from random weights and is
    trained on them alone imitates its teacher on such images only. What a view shows after pasting is decided by the
    teacher (`judge_views: true`).

    The backgrounds are drawn once, at the first call, from the run's seed; torch's global generator then chooses the
    images that are pasted and their backgrounds. Losses that use whole pairs (`InfoNCELoss`) should take into account
    that a pasted photo and its sketch may no longer show the same class.

    Args:
        backgrounds: Generator of the backgrounds: `DeadLeaves` for photos, `Scribbles` for sketches.
        share: Probability that an image is pasted, in (0, 1]; the other images stay as they are.
        num_backgrounds: Number of backgrounds, which are kept as uint8 on the images' device. 4,096 of them take 13 MB
            and about ten seconds of a CPU at 32 px, and 620 MB at 224 px, where a GPU should draw them.

    Raises:
        InputError: When `share` or `num_backgrounds` is out of range, or the backgrounds have another shape or device
            than requested.
    """

    new_content = True

    def __init__(self, backgrounds: BackgroundGenerator, share: float = 0.5, num_backgrounds: int = 4096) -> None:
        must_be_in("PasteOnto.share", share, "(0, 1]")
        must_be_in("PasteOnto.num_backgrounds", num_backgrounds, "[1, inf)")
        self.backgrounds = backgrounds
        self.share = share
        self.num_backgrounds = num_backgrounds
        self._drawn: dict[tuple[object, ...], Tensor] = {}

    def __call__(self, images: Tensor) -> Tensor:
        """Random views of images, (B, 3, H, W) in [0, 1], with the same shape and range."""
        key = (run_seed(), images.shape[1:], images.device)
        if key not in self._drawn:
            self._drawn[key] = self._draw(images)
        backgrounds = self._drawn[key]
        chosen = torch.randint(len(backgrounds), (len(images),), device=images.device)
        pasted = torch.rand(len(images), 1, 1, 1, device=images.device) < self.share
        return torch.where(pasted, self.backgrounds.paste(images, backgrounds[chosen].to(images.dtype) / 255), images)

    def _draw(self, images: Tensor) -> Tensor:
        """All backgrounds for images of this size, (N, 3, H, W) uint8."""
        generator = torch.Generator(images.device)
        generator.manual_seed(int(philox(run_seed(), 0, Stream.BACKGROUNDS).integers(2**63)))
        drawn = torch.empty((self.num_backgrounds, *images.shape[1:]), dtype=torch.uint8, device=images.device)
        for part in torch.split(drawn, _AT_ONCE):
            backgrounds = self.backgrounds.draw(len(part), images.shape[2], images.shape[3], generator)
            if backgrounds.shape != part.shape or backgrounds.device != part.device:
                raise InputError(
                    f"PasteOnto.backgrounds: {type(self.backgrounds).__name__} must draw {tuple(part.shape)} on "
                    f"{part.device}, got {tuple(backgrounds.shape)} on {backgrounds.device}"
                )
            part.copy_(backgrounds.mul(255).round())
        return drawn


_AT_ONCE = 128
"""Number of backgrounds drawn at a time; drawing takes about 20 times their memory."""
