"""Alternative Data: real images of other classes in place of reconstructed ones."""

import torch
from torch.utils.data import Dataset

from crossx.core.checks import some
from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox, run_seed
from crossx.data.base import RetrievalData
from crossx.teachers.pair import TeacherPair
from crossx.types import LatentBatch, PairBatch, PairSource


class AlternativePairs(PairSource):
    """The baseline "Alternative Data" (arXiv 2303.07775) as we read it: real images of other classes.

    Photos and sketches are drawn independently of each other from the training part of data whose classes the teachers
    do not have, and labelled by the teachers, as in distillation from images in the wild (DFND, CVPR 2021).

    Args:
        teachers: Both teachers, which classify the images.
        data: The other data; none of its classes may be a teacher's class.

    Raises:
        InputError: When a class of the data is a class of a teacher.
    """

    latent_dim = 1
    real = True

    def __init__(self, teachers: TeacherPair, data: RetrievalData) -> None:
        known = [c for c in data.classes if teachers.vocabulary.canonical(c) in teachers.vocabulary.union]
        if known:
            raise InputError(
                f"pairs.data: must hold only classes that no teacher has, got {some(known)}; leave them out"
            )
        self.num_classes = len(teachers.vocabulary)
        self.shared = teachers.vocabulary.known_to_both
        self._data = data
        self._teachers = teachers

    def loaded(self, latents: Dataset[LatentBatch], data: RetrievalData | None) -> Dataset[LatentBatch]:
        """Read the images in the loader's workers, in place of the data module's own."""
        return _OtherImages(self._data, latents)

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Run the teachers on the images that the workers have read."""
        if latents.photo is None or latents.sketch is None:
            raise RuntimeError("the loader did not read AlternativePairs.loaded")
        pairs: PairBatch = self._teachers(latents.photo, latents.sketch)
        return pairs


class _OtherImages(Dataset[LatentBatch]):
    """Latents, each with a real photo and a real sketch of any two classes."""

    def __init__(self, data: RetrievalData, latents: Dataset[LatentBatch]) -> None:
        self.latents = latents
        self.photos = data.images("photo", "train")
        self.sketches = data.images("sketch", "train")

    def __len__(self) -> int:
        return len(self.latents)  # type: ignore[arg-type]  # torch's Dataset does not promise a length, latents have one

    def __getitem__(self, index: int) -> LatentBatch:
        item = self.latents[index]
        draw = philox(run_seed(), index, Stream.OTHER_PAIRS)
        item.photo = self.photos[int(draw.integers(len(self.photos)))].image
        item.sketch = self.sketches[int(draw.integers(len(self.sketches)))].image
        item.target = torch.tensor(0)  # unknown: `sample` takes the class that the teachers predict
        return item
