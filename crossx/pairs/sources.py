"""Where pairs come from: generators that are learning, or real images; `SavedPairs` stands beside the generators."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.utils.data import Dataset

from crossx.augmentation import Augmentation
from crossx.core.errors import InputError
from crossx.core.seeding import philox
from crossx.data.base import RetrievalData
from crossx.pairs.latents import LatentDataset
from crossx.teachers.pair import TeacherPair
from crossx.types import LatentBatch, PairBatch, PairSource


class Pairs(ABC):
    """A pair source that a config can name.

    It is a plain object and no `nn.Module`: what it holds is neither trained nor saved with the module that uses it.

    Attributes:
        real: Whether the pairs are real images, so that the run is not data-free.
        true_labels: Whether encoders learn the classes of the pairs in place of what the teachers say of them.
    """

    real: bool = False
    true_labels: bool = False

    @property
    @abstractmethod
    def latent_dim(self) -> int:
        """Z, how much noise the source wants per pair."""

    @abstractmethod
    def attach(self, teachers: TeacherPair, live: PairSource | None) -> None:
        """Called once by the root module.

        Args:
            teachers: Who judges the pairs.
            live: The generators that learn in the same run, in a joint run; None otherwise.

        Raises:
            InputError: When the source cannot work in this kind of run.
        """

    @abstractmethod
    def sample(self, latents: LatentBatch) -> PairBatch:
        """Pairs without gradient, one a latent, on the latents' device."""

    def loaded(self, latents: LatentDataset, data: RetrievalData | None) -> Dataset[LatentBatch]:
        """What the loader's workers read; a source that needs real images puts them in here.

        Args:
            latents: The stream.
            data: The data module's real images.
        """
        return latents


class LivePairs(Pairs):
    """Pairs from the generators as they are now; for joint runs."""

    def __init__(self) -> None:
        self._live: PairSource | None = None

    @property
    def latent_dim(self) -> int:
        """Z of the generators."""
        return self._attached.latent_dim

    def attach(self, teachers: TeacherPair, live: PairSource | None) -> None:
        """Take the run's generators."""
        if live is None:
            raise InputError(
                "pairs: LivePairs needs generators that learn in the same run (CoTrainingModule); an EncoderModule on "
                "its own takes SavedPairs (data-free) or RealPairs (with data)"
            )
        self._live = live

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Sample the generators."""
        return self._attached.sample(latents)

    @property
    def _attached(self) -> PairSource:
        if self._live is None:
            raise RuntimeError("attach() comes before the first use")
        return self._live


class RealPairs(Pairs):
    """Real photos and sketches of one class, from the data module's training split; for the comparison with data.

    Each latent becomes a class (by its uniform number) and one photo and one sketch of it, drawn uniformly.

    Args:
        photo_augmentation: Random views of the photos, which the teachers judge; a pair's `target` stays the class of
            the images. None leaves them as they are.
        sketch_augmentation: The same for the sketches.
        true_labels: Whether encoders learn the classes of the pairs, as with supervision, in place of what the teachers
            say of them.
    """

    latent_dim = 1
    real = True

    def __init__(
        self,
        photo_augmentation: Augmentation | None = None,
        sketch_augmentation: Augmentation | None = None,
        true_labels: bool = False,
    ) -> None:
        self.true_labels = true_labels
        self._photo_augmentation = photo_augmentation
        self._sketch_augmentation = sketch_augmentation
        self._teachers: TeacherPair | None = None
        self._to_union: Tensor | None = None

    def attach(self, teachers: TeacherPair, live: PairSource | None) -> None:
        """Take the teachers; live generators have no place beside real images."""
        if live is not None:
            raise InputError("pairs: RealPairs has no use for a run's own generators; a joint run takes LivePairs")
        self._teachers = teachers

    def loaded(self, latents: LatentDataset, data: RetrievalData | None) -> Dataset[LatentBatch]:
        """Read the images in the loader's workers.

        Raises:
            InputError: When the data module has no data set, or a class of it is known to no teacher or has no image.
        """
        if self._teachers is None:
            raise RuntimeError("attach() comes before the first use")
        if data is None:
            raise InputError("data.dataset: none is named, and RealPairs takes its images from it; name one")
        self._to_union = torch.tensor([self._teachers.vocabulary.index(name) for name in data.classes])
        return _RealLatents(data, latents)

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Let the teachers judge the images that the workers have read."""
        if self._teachers is None or self._to_union is None:
            raise RuntimeError("loaded() comes before the first use")
        if latents.photo is None or latents.sketch is None or latents.target is None:
            raise RuntimeError("the loader did not read RealPairs.loaded")
        target = self._to_union.to(latents.target.device)[latents.target]
        photo, sketch = latents.photo, latents.sketch
        if self._photo_augmentation is not None:
            photo = self._photo_augmentation(photo)
        if self._sketch_augmentation is not None:
            sketch = self._sketch_augmentation(sketch)
        judged: PairBatch = self._teachers(photo, sketch, target)
        return judged


class _RealLatents(Dataset[LatentBatch]):
    """Latents with a real photo and sketch each."""

    def __init__(self, data: RetrievalData, latents: LatentDataset) -> None:
        self.latents = latents
        self.photos = data.images("photo", "train")
        self.sketches = data.images("sketch", "train")
        self.by_class = [
            ((self.photos.labels == c).nonzero()[0], (self.sketches.labels == c).nonzero()[0])
            for c in range(len(data.classes))
        ]
        for name, (photos, sketches) in zip(data.classes, self.by_class, strict=True):
            if len(photos) == 0 or len(sketches) == 0:
                raise InputError(
                    f"dataset: class {name!r} has {len(photos)} training photos and {len(sketches)} training sketches; "
                    "training with data needs at least one of each"
                )

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, index: int) -> LatentBatch:
        item = self.latents[index]
        target = int(item.uniform * len(self.by_class))
        photos, sketches = self.by_class[target]
        draw = philox(self.latents.seed, index, stream=1)
        item.photo = self.photos[int(draw.choice(photos))].image
        item.sketch = self.sketches[int(draw.choice(sketches))].image
        item.target = torch.tensor(target)
        return item
