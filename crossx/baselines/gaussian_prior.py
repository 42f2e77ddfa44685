"""Gaussian Prior: noise in place of reconstructed images."""

import torch

from crossx.core.checks import must_be_in
from crossx.core.seeding import Stream, philox, run_seed
from crossx.teachers.pair import TeacherPair
from crossx.types import LatentBatch, PairBatch, PairSource


class GaussianPairs(PairSource):
    """The baseline "Gaussian Prior" (arXiv 2303.07775) as we read it: images of white noise, labelled by the teachers.

    Every pixel is standard normal in the units of its teacher, which normalises images by the mean and the deviation on
    its card, and then cut to [0, 1]. Sketches have one channel, repeated, in the units of their first. A pair is a pure
    function of the run's seed and its batch's place in the stream.

    Args:
        teachers: Both teachers, which classify the noise.
        size: Side of the images in pixels.

    Raises:
        InputError: When the size is not positive.
    """

    latent_dim = 1

    def __init__(self, teachers: TeacherPair, size: int) -> None:
        must_be_in("pairs.size", size, "[1, inf)")
        self.num_classes = len(teachers.vocabulary)
        self.shared = teachers.vocabulary.known_to_both
        self._size = size
        self._teachers = teachers

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Draw noise, and run the teachers on it."""
        device = latents.noise.device
        seed = int(philox(run_seed(), int(latents.index[0]), Stream.NOISE_PAIRS).integers(2**63))
        generator = torch.Generator(device).manual_seed(seed)
        shape = (len(latents.noise), 4, self._size, self._size)
        photo, sketch = self._teachers.photo.card, self._teachers.sketch.card
        mean, std = (
            torch.tensor([*of_photo, of_sketch[0]], device=device)[:, None, None]
            for of_photo, of_sketch in ((photo.mean, sketch.mean), (photo.std, sketch.std))
        )
        noise = (mean + std * torch.randn(shape, generator=generator, device=device)).clamp(0, 1)
        pairs: PairBatch = self._teachers(noise[:, :3], noise[:, 3:].expand(-1, 3, -1, -1))
        return pairs
