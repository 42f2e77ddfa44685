"""Alternative Data: real images of other classes in place of reconstructed ones."""

import torch
from torch.utils.data import Dataset

from crossx.core.errors import InputError
from crossx.core.seeding import philox
from crossx.data.base import RetrievalData
from crossx.pairs.latents import LatentDataset
from crossx.pairs.sources import Pairs
from crossx.teachers.pair import TeacherPair
from crossx.types import LatentBatch, PairBatch, PairSource


class AlternativePairs(Pairs):
    """The baseline "Alternative Data" (arXiv 2303.07775) as we read it: real images of other classes.

    Photos and sketches are drawn independently of each other from the training part of data whose classes the teachers
    do not know, and labelled by the teachers, as in distillation from images in the wild (DFND, CVPR 2021).

    Args:
        data: The other data; none of its classes may be one of a teacher.
    """

    latent_dim = 1
    real = True

    def __init__(self, data: RetrievalData) -> None:
        self._data = data
        self._teachers: TeacherPair | None = None

    def attach(self, teachers: TeacherPair, live: PairSource | None) -> None:
        """Take the teachers.

        Raises:
            InputError: Beside generators, or when a teacher knows a class of the data.
        """
        if live is not None:
            raise InputError(
                "pairs: AlternativePairs has no use for a run's own generators; a joint run takes LivePairs"
            )
        known = [c for c in self._data.classes if teachers.vocabulary.canonical(c) in teachers.vocabulary.union]
        if known:
            raise InputError(
                f"pairs.data: the classes {', '.join(known)} are not legal: a teacher knows them, and alternative data "
                "are of other classes; name them without"
            )
        self._teachers = teachers

    def loaded(self, latents: LatentDataset, data: RetrievalData | None) -> Dataset[LatentBatch]:
        """Read the images in the loader's workers; the data module's own are of no concern."""
        return _OtherImages(self._data, latents)

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Let the teachers judge the images that the workers have read."""
        if self._teachers is None:
            raise RuntimeError("attach() comes before the first use")
        if latents.photo is None or latents.sketch is None:
            raise RuntimeError("the loader did not read AlternativePairs.loaded")
        pairs: PairBatch = self._teachers(latents.photo, latents.sketch)
        return pairs


class _OtherImages(Dataset[LatentBatch]):
    """Latents with a real photo and a real sketch each, of any two classes."""

    def __init__(self, data: RetrievalData, latents: LatentDataset) -> None:
        self.latents = latents
        self.photos = data.images("photo", "train")
        self.sketches = data.images("sketch", "train")

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, index: int) -> LatentBatch:
        item = self.latents[index]
        draw = philox(self.latents.seed, index, stream=1)
        item.photo = self.photos[int(draw.integers(len(self.photos)))].image
        item.sketch = self.sketches[int(draw.integers(len(self.sketches)))].image
        item.target = torch.tensor(0)  # nobody knows it; the teachers say what the pair is
        return item
