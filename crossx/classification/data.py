"""Labelled images for training and testing a classifier."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import lightning.pytorch as pl
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, DistributedSampler

from crossx.core.batches import stack
from crossx.core.checks import did_you_mean, must_be_in, must_be_one_of, some
from crossx.core.distributed import rank, world_size
from crossx.core.errors import InputError
from crossx.core.seeding import Stream, philox, run_seed
from crossx.data.base import LabelledImages, RetrievalData
from crossx.data.loading import in_order
from crossx.data.redrawn import redrawn
from crossx.pixels.pen import Pen
from crossx.teachers.card import TeacherModality
from crossx.types import ImageBatch, Modality, Split


class LabelledImagesDataModule(pl.LightningDataModule):
    """Labelled images of a data set; its train, validation and test parts are used by the stages of the same name.

    The order of training images is a pure function of the run's seed and the epoch, also in a run that is resumed.

    Args:
        dataset: The data set.
        modality: `photo` or `sketch`: images of that modality with their classes. `modality`: images of both, class 0
            for photos and 1 for sketches; `ImageBatch.modality` is then the modality of the first image of a batch.
        batch_size: Images in each batch of one process, at least 1.
        workers: Number of processes that read images; 0 reads in the main process.
        classes: Classes in use, in the order of the labels; None for all.
        pen: Style in which sketches are redrawn; a teacher that is trained on them gets it on its card.

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
        pen: Pen | None = None,
    ) -> None:
        super().__init__()
        must_be_in("batch_size", batch_size, "[1, inf)")
        must_be_in("workers", workers, "[0, inf)")
        must_be_one_of("modality", modality, ("photo", "sketch", "modality"))
        if pen is not None and modality != "sketch":
            raise InputError(f"pen: must be null where modality is {modality}, because pens redraw sketches")
        self.pen = pen
        self.dataset = redrawn(dataset, pen)
        self.modality: TeacherModality = modality
        self.batch_size = batch_size
        self.workers = workers
        self.chosen = tuple(dataset.classes if classes is None else classes)
        for name in self.chosen:
            if name not in dataset.classes:
                raise InputError(
                    f"classes: {name!r} is unknown; {dataset.name} has {some(dataset.classes, name)}"
                    f"{did_you_mean(name, dataset.classes)}"
                )
            if self.chosen.count(name) > 1:
                raise InputError(f"classes: must be named once, {name!r} is named twice")
        self.classes = ("photo", "sketch") if modality == "modality" else self.chosen

    def images(self, split: Split) -> Dataset[ImageBatch]:
        """Labelled images of a part.

        Raises:
            InputError: When the part has no images.
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
            InputError: When a class has no image in the part, or the part has fewer images than one batch of all
                processes.
        """
        images = self.images("train")
        if isinstance(images, _Chosen):
            images.check_every_class()
        count = len(images)  # type: ignore[arg-type]  # torch's Dataset does not promise a length, ours have one
        if count < self.batch_size * world_size():
            raise InputError(f"batch_size: must be at most the {count} training images, got {self.batch_size}")
        return DataLoader(
            images,
            self.batch_size,
            sampler=ShuffledSampler(images, count, self.batch_size, self._batches_done),
            num_workers=self.workers,
            persistent_workers=self.workers > 0,  # they keep decoded images
            collate_fn=stack,
            drop_last=True,
        )

    def _batches_done(self) -> int:
        return 0 if self.trainer is None else self.trainer.fit_loop.epoch_loop.batch_progress.total.ready

    def val_dataloader(self) -> DataLoader[ImageBatch]:
        """Batches of the validation part, in order."""
        return in_order(self.images("validation"), self.batch_size, self.workers)

    def test_dataloader(self) -> DataLoader[ImageBatch]:
        """Batches of the test part, in order."""
        return in_order(self.images("test"), self.batch_size, self.workers)


class ShuffledSampler(DistributedSampler[ImageBatch]):
    """Every image once in each epoch, in an order that is a pure function of the run's seed and the epoch.

    The epoch is computed from the batches done and not taken from Lightning, which counts the epochs of resumed runs
    differently and calls the sampler again after a resume in the middle of an epoch. The batches of all processes
    together equal the batch of a single process. The last images of an order, which do not fill a batch, are used in
    other epochs. Lightning wraps every sampler that is not a `DistributedSampler`, hence the base class.

    Args:
        images: The images.
        count: Number of images.
        batch_size: Batch size B of one process.
        batches_done: Returns the number of training batches since the start of training; called in each epoch.
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
        order = philox(self.seed, epoch, Stream.IMAGE_ORDER).permutation(self.count)
        left = order[done * self.global_batch : batches * self.global_batch]
        indices: list[int] = left[self.rank :: self.num_replicas].tolist()
        return iter(indices)


class _Chosen(Dataset[ImageBatch]):
    """Images of chosen classes, labelled by the order of the classes or with one label; indices start at `offset`."""

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
            raise InputError(
                f"classes: must have images in this part; there is no {images.modality} of {some(classes)}"
            )

        self.classes = tuple(classes)

    def check_every_class(self) -> None:
        """Refuse classes without images: a classifier would know them by name and give them noise.

        Raises:
            InputError: Naming them.
        """
        seen = {label for _, label in self.rows}
        unseen = [name for label, name in enumerate(self.classes) if label not in seen]
        if unseen:
            raise InputError(
                f"classes: must have a training {self.images.modality} each, got none of "
                f"{some(map(repr, unseen), most=5)}; give them a train part "
                "in the split, or name the other classes in data.classes"
            )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> ImageBatch:
        row, label = self.rows[i]
        return replace(self.images[row], label=torch.tensor(label), index=torch.tensor(self.offset + i))
