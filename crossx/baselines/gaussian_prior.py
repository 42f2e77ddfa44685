"""Gaussian Prior: noise in place of reconstructed images."""

import torch

from crossx.core.errors import InputError
from crossx.core.seeding import philox, run_seed
from crossx.pairs.sources import Pairs
from crossx.teachers.pair import TeacherPair
from crossx.types import LatentBatch, PairBatch, PairSource


class GaussianPairs(Pairs):
    """The baseline "Gaussian Prior" (arXiv 2303.07775) as we read it: images of white noise, labelled by the teachers.

    Every pixel is standard normal in the units of its teacher, which normalises images by the mean and the deviation on
    its card, and then cut to [0, 1]. Sketches have one channel, repeated, in the units of their first. A pair is a pure
    function of the run's seed and its batch's place in the stream.

    Args:
        size: Side of the images in pixels.

    Raises:
        InputError: When the size is not positive.
    """

    latent_dim = 1

    def __init__(self, size: int) -> None:
        if size < 1:
            raise InputError(f"pairs.size: {size} is not legal; at least 1 pixel")
        self.size = size
        self._teachers: TeacherPair | None = None

    def attach(self, teachers: TeacherPair, live: PairSource | None) -> None:
        """Take the teachers.

        Raises:
            InputError: Beside generators.
        """
        if live is not None:
            raise InputError("pairs: GaussianPairs has no use for a run's own generators; a joint run takes LivePairs")
        self._teachers = teachers

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Draw noise, and let the teachers judge it."""
        if self._teachers is None:
            raise RuntimeError("attach() comes before the first use")
        device = latents.noise.device
        seed = int(philox(run_seed(), int(latents.index[0]), stream=3).integers(2**63))
        generator = torch.Generator(device).manual_seed(seed)
        shape = (len(latents.noise), 4, self.size, self.size)
        photo, sketch = self._teachers.photo.card, self._teachers.sketch.card
        mean, std = (
            torch.tensor([*of_photo, of_sketch[0]], device=device)[:, None, None]
            for of_photo, of_sketch in ((photo.mean, sketch.mean), (photo.std, sketch.std))
        )
        noise = (mean + std * torch.randn(shape, generator=generator, device=device)).clamp(0, 1)
        pairs: PairBatch = self._teachers(noise[:, :3], noise[:, 3:].expand(-1, 3, -1, -1))
        return pairs
