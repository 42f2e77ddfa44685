"""Where pairs come from: made by generators that are learning, by saved ones, or taken from real images."""

from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from crossx.data.base import RetrievalData
from crossx.data.latents import LatentDataset
from crossx.errors import InputError
from crossx.reconstruction.generators import load_generators, sample_pairs
from crossx.seeding import philox
from crossx.teachers.pair import TeacherPair
from crossx.types import LatentBatch, PairBatch


class Pairs(ABC):
    """A pair source that a config can name.

    It is a plain object and no `nn.Module`: what it holds is neither trained nor saved with the module that uses it.
    """

    @property
    @abstractmethod
    def latent_dim(self) -> int:
        """Z, how much noise the source wants per pair."""

    @abstractmethod
    def attach(self, teachers: TeacherPair, live: "LiveGenerators | None") -> None:
        """Called once by the root module.

        Args:
            teachers: Who judges the pairs.
            live: The generators that learn in the same run, in a joint run; None otherwise.

        Raises:
            InputError: When the source cannot work in this kind of run.
        """

    @abstractmethod
    def __call__(self, latents: LatentBatch) -> PairBatch:
        """Pairs without gradient, one a latent, on the latents' device."""

    def dataset(self, latents: LatentDataset) -> Dataset[LatentBatch]:
        """What the loader's workers read; a source that needs real images puts them in here."""
        return latents


class LiveGenerators(Protocol):
    """Generators that are learning in the same run, as a pair source sees them."""

    @property
    def latent_dim(self) -> int:
        """Z."""
        ...

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Pairs without gradient."""
        ...


class LivePairs(Pairs):
    """Pairs from the generators as they are now; for joint runs."""

    def __init__(self) -> None:
        self._live: LiveGenerators | None = None

    @property
    def latent_dim(self) -> int:
        """Z of the generators."""
        return self._attached.latent_dim

    def attach(self, teachers: TeacherPair, live: LiveGenerators | None) -> None:
        """Take the run's generators."""
        if live is None:
            raise InputError(
                "pairs: LivePairs needs generators that learn in the same run (CoTrainingModule); an EncoderModule on "
                "its own takes SavedPairs (data-free) or RealPairs (with data)"
            )
        self._live = live

    def __call__(self, latents: LatentBatch) -> PairBatch:
        """Sample the generators."""
        return self._attached.sample(latents)

    @property
    def _attached(self) -> LiveGenerators:
        if self._live is None:
            raise RuntimeError("attach() comes before the first use")
        return self._live


class SavedPairs(Pairs):
    """Pairs from the generators of an earlier run; for stage-wise training.

    Args:
        generators: The `generators.safetensors` that a run with a `ReconstructionModule` wrote into its run folder.

    Raises:
        InputError: When the file does not exist or does not hold two generators.
    """

    def __init__(self, generators: str) -> None:
        self.generators = load_generators(generators, "generators")
        self._teachers: TeacherPair | None = None

    @property
    def latent_dim(self) -> int:
        """Z of the generators."""
        return self.generators.latent_dim

    def attach(self, teachers: TeacherPair, live: LiveGenerators | None) -> None:
        """Take the teachers; live generators have no place beside saved ones."""
        if live is not None:
            raise InputError("pairs: SavedPairs has no use for a run's own generators; a joint run takes LivePairs")
        self.generators.check_classes(len(teachers.vocabulary.union))
        self._teachers = teachers

    def __call__(self, latents: LatentBatch) -> PairBatch:
        """Sample the saved generators."""
        if self._teachers is None:
            raise RuntimeError("attach() comes before the first use")
        self.generators.to(latents.noise.device)  # a plain object is not moved by Lightning
        return sample_pairs(self.generators, self._teachers, latents)


class RealPairs(Pairs):
    """Real photos and sketches of one class; for the comparison with data.

    Each latent becomes a class (by its uniform number) and one photo and one sketch of it, drawn uniformly from the
    training split.

    Args:
        dataset: Where the images come from.
    """

    latent_dim = 1

    def __init__(self, dataset: RetrievalData) -> None:
        self.data = dataset
        self._teachers: TeacherPair | None = None
        self._to_union: Tensor | None = None

    def attach(self, teachers: TeacherPair, live: LiveGenerators | None) -> None:
        """Take the teachers and find the data set's classes among theirs."""
        if live is not None:
            raise InputError("pairs: RealPairs has no use for a run's own generators; a joint run takes LivePairs")
        self._teachers = teachers
        self._to_union = torch.tensor([teachers.vocabulary.index(name) for name in self.data.classes])

    def dataset(self, latents: LatentDataset) -> Dataset[LatentBatch]:
        """Read the images in the loader's workers."""
        return _RealLatents(self.data, latents)

    def __call__(self, latents: LatentBatch) -> PairBatch:
        """Let the teachers judge the images that the workers have read."""
        if self._teachers is None or self._to_union is None:
            raise RuntimeError("attach() comes before the first use")
        if latents.photo is None or latents.sketch is None or latents.target is None:
            raise RuntimeError("the loader did not read RealPairs.dataset")
        target = self._to_union.to(latents.target.device)[latents.target]
        judged: PairBatch = self._teachers(latents.photo, latents.sketch, target)
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
