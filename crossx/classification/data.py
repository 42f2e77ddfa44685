"""Labelled images for training and testing a classifier."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import lightning.pytorch as pl
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, DistributedSampler

from crossx.core.distributed import rank, world_size
from crossx.core.errors import InputError
from crossx.core.seeding import philox, run_seed
from crossx.data.base import LabelledImages, RetrievalData, collate_images
from crossx.teachers.card import TeacherModality
from crossx.types import ImageBatch, Modality, Split


class LabelledImagesDataModule(pl.LightningDataModule):
    """Images of a data set with their classes: its train, validation and test part for the stages of the same name.

    The order of training images is a pure function of the run's seed and the epoch, also in a run that is resumed.

    Args:
        dataset: The data set.
        modality: `photo` or `sketch`: images of that modality with their classes. `modality`: images of both, class 0
            for photos and 1 for sketches; `ImageBatch.modality` is then that of the first image of a batch.
        batch_size: Images a batch and process.
        workers: Processes that read images; 0 reads in the main one.
        classes: Use images of these classes only; they are counted in this order. None takes all.

    Attributes:
        classes: Class names in the order of the labels, (K).

    Raises:
        InputError: When the batch size is not positive, or a class is unknown or named twice.
    """

    classes: tuple[str, ...]

    def __init__(
        self,
        dataset: RetrievalData,
        modality: TeacherModality,
        batch_size: int,
        workers: int = 0,
        classes: list[str] | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1 or workers < 0:
            raise InputError(f"batch_size {batch_size}, workers {workers}: legal are batch_size >= 1 and workers >= 0")
        if modality not in ("photo", "sketch", "modality"):
            raise InputError(f"modality: {modality!r} is not legal; photo, sketch, or modality")
        self.dataset = dataset
        self.modality: TeacherModality = modality
        self.batch_size = batch_size
        self.workers = workers
        self.chosen = tuple(dataset.classes if classes is None else classes)
        for name in self.chosen:
            if name not in dataset.classes:
                raise InputError(f"classes: {name!r} is unknown; {dataset.name} has {list(dataset.classes)}")
            if self.chosen.count(name) > 1:
                raise InputError(f"classes: {name!r} is named twice")
        self.classes = ("photo", "sketch") if modality == "modality" else self.chosen

    def images(self, split: Split) -> Dataset[ImageBatch]:
        """The labelled images of a part.

        Raises:
            InputError: When there are none.
        """
        if self.modality != "modality":
            return _Chosen(self.dataset.images(self.modality, split), self.chosen)
        modalities: tuple[Modality, Modality] = ("photo", "sketch")
        parts: list[_Chosen] = []
        for label, modality in enumerate(modalities):
            parts.append(_Chosen(self.dataset.images(modality, split), self.chosen, label, sum(map(len, parts))))
        return ConcatDataset(parts)

    def train_dataloader(self) -> DataLoader[ImageBatch]:
        """Shuffled batches of one size.

        Raises:
            InputError: When the part has fewer images than one batch of all processes.
        """
        images = self.images("train")
        count = len(images)  # type: ignore[arg-type]  # torch's Dataset does not promise a length, ours have one
        if count < self.batch_size * world_size():
            raise InputError(f"batch_size: {self.batch_size} is not legal; there are only {count} images to train on")
        return self._loader(images, ShuffledSampler(images, count, self.batch_size, self._batches_done))

    def _batches_done(self) -> int:
        return 0 if self.trainer is None else self.trainer.fit_loop.epoch_loop.batch_progress.total.ready

    def val_dataloader(self) -> DataLoader[ImageBatch]:
        """The validation part in its order."""
        return self._loader(self.images("validation"))

    def test_dataloader(self) -> DataLoader[ImageBatch]:
        """The test part in its order."""
        return self._loader(self.images("test"))

    def _loader(self, images: Dataset[ImageBatch], sampler: "ShuffledSampler | None" = None) -> DataLoader[ImageBatch]:
        return DataLoader(
            images,
            self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            collate_fn=collate_images,
            drop_last=sampler is not None,
            persistent_workers=self.workers > 0,
        )


class ShuffledSampler(DistributedSampler[ImageBatch]):
    """Every image once an epoch in an order that is a pure function of the run's seed and the epoch.

    The epoch comes from the batches done, not from Lightning: the epochs of a resumed run are counted differently, and
    after a resume in the middle of an epoch the sampler is asked again. The batches of all processes together are the
    batch of one process; the last images of an order, which fill no batch, come up in other epochs. A subclass of
    `DistributedSampler` because Lightning leaves those alone and wraps every other sampler.

    Args:
        images: The images.
        count: Their number.
        batch_size: B of one process.
        batches_done: Called at the start of each epoch: training batches done since the very start.
    """

    def __init__(
        self, images: Dataset[ImageBatch], count: int, batch_size: int, batches_done: Callable[[], int]
    ) -> None:
        super().__init__(images, world_size(), rank(), seed=run_seed(), drop_last=True)
        self.count = count
        self.global_batch = batch_size * self.num_replicas
        self.batches_done = batches_done

    def __iter__(self) -> Iterator[int]:  # type: ignore[override]  # torch's stub says that a sampler gives items
        batches = self.count // self.global_batch
        epoch, done = divmod(self.batches_done(), batches)
        order = philox(self.seed, epoch).permutation(self.count)
        left = order[done * self.global_batch : batches * self.global_batch]
        indices: list[int] = left[self.rank :: self.num_replicas].tolist()
        return iter(indices)


class _Chosen(Dataset[ImageBatch]):
    """Images of chosen classes, with labels by their order or one label for all, and places that start at `offset`."""

    def __init__(
        self, images: LabelledImages, classes: Sequence[str], label: int | None = None, offset: int = 0
    ) -> None:
        label_of = {
            native: classes.index(name) if label is None else label
            for native, name in enumerate(images.classes)
            if name in classes
        }
        self.images = images
        self.offset = offset
        self.rows = [(i, label_of[native]) for i, native in enumerate(images.labels.tolist()) if native in label_of]
        if not self.rows:
            raise InputError(f"classes: there is no {images.modality} of {list(classes)} in this part of the data set")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> ImageBatch:
        row, label = self.rows[i]
        return replace(self.images[row], label=torch.tensor(label), index=torch.tensor(self.offset + i))
