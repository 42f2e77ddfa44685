"""Where pairs come from: generators that train in the same run, or real images.

Pairs of saved generators stand beside the generators (`crossx.reconstruction.saved`).
"""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from crossx.augmentation import Augmentation
from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox, run_seed
from crossx.data.base import RetrievalData
from crossx.teachers.pair import TeacherPair
from crossx.teachers.vocabulary import Vocabulary
from crossx.types import LatentBatch, PairBatch, PairSource, Sampler


class LivePairs(PairSource):
    """Pairs from generators as they are now; what a joint run learns from.

    Args:
        sampler: The module with the generators.
        num_classes: U, classes of the union of both teachers.
        shared: Mask of the classes that both teachers know, (U,) bool; None for all classes.
    """

    def __init__(self, sampler: Sampler, num_classes: int, shared: Tensor | None = None) -> None:
        self._sampler = sampler
        self.num_classes = num_classes
        self.shared = shared

    @property
    def latent_dim(self) -> int:
        """Z of the generators."""
        return self._sampler.latent_dim

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Sample the generators."""
        return self._sampler.sample(latents)


class RealPairs(PairSource):
    """Real photos and sketches of one class, from the data module's training split; for the comparison with data.

    Each latent becomes a class (by its uniform number) and one photo and one sketch of it, drawn uniformly.

    Args:
        teachers: Both teachers, which classify the pairs.
        photo_augmentation: Random views of the photos, on which the teachers run; a pair's `target` stays the class of
            the images. None uses the photos as they are.
        sketch_augmentation: Random views of the sketches, likewise.
        true_labels: Whether encoders learn the classes of the pairs, as with supervision, in place of the teachers'
            posteriors.
    """

    latent_dim = 1
    real = True

    def __init__(
        self,
        teachers: TeacherPair,
        photo_augmentation: Augmentation | None = None,
        sketch_augmentation: Augmentation | None = None,
        true_labels: bool = False,
    ) -> None:
        self.true_labels = true_labels
        self.num_classes = len(teachers.vocabulary)
        self._photo_augmentation = photo_augmentation
        self._sketch_augmentation = sketch_augmentation
        self._teachers = teachers

    def loaded(self, latents: Dataset[LatentBatch], data: RetrievalData | None) -> Dataset[LatentBatch]:
        """Read the images in the loader's workers.

        Raises:
            InputError: When the data module has no data set, or a class of it is known to no teacher or has no image.
        """
        if data is None:
            raise InputError("data.dataset: must be named, because RealPairs takes its images from it")
        return _RealLatents(data, latents, self._teachers.vocabulary)

    def sample(self, latents: LatentBatch) -> PairBatch:
        """Run the teachers on the images that the workers have read."""
        if latents.photo is None or latents.sketch is None:
            raise RuntimeError("the loader did not read RealPairs.loaded")
        photo, sketch = latents.photo, latents.sketch
        if self._photo_augmentation is not None:
            photo = self._photo_augmentation(photo)
        if self._sketch_augmentation is not None:
            sketch = self._sketch_augmentation(sketch)
        pairs: PairBatch = self._teachers(photo, sketch, latents.target)
        return pairs


class _RealLatents(Dataset[LatentBatch]):
    """Latents with a real photo and sketch each."""

    def __init__(self, data: RetrievalData, latents: Dataset[LatentBatch], vocabulary: Vocabulary) -> None:
        self.latents = latents
        self.to_union = [vocabulary.index(name) for name in data.classes]
        self.photos = data.images("photo", "train")
        self.sketches = data.images("sketch", "train")
        self.by_class = [
            ((self.photos.labels == c).nonzero()[0], (self.sketches.labels == c).nonzero()[0])
            for c in range(len(data.classes))
        ]
        for name, (photos, sketches) in zip(data.classes, self.by_class, strict=True):
            if len(photos) == 0 or len(sketches) == 0:
                raise InputError(
                    f"data.dataset: class {name!r} has {len(photos)} training photos and {len(sketches)} training "
                    "sketches; training with data needs at least one of each"
                )

    def __len__(self) -> int:
        return len(self.latents)  # type: ignore[arg-type]  # torch's Dataset does not promise a length, latents have one

    def __getitem__(self, index: int) -> LatentBatch:
        item = self.latents[index]
        target = int(item.uniform * len(self.by_class))
        photos, sketches = self.by_class[target]
        draw = philox(run_seed(), index, Stream.REAL_PAIRS)
        item.photo = self.photos[int(draw.choice(photos))].image
        item.sketch = self.sketches[int(draw.choice(sketches))].image
        item.target = torch.tensor(self.to_union[target])
        return item
