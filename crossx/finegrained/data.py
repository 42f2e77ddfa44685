"""The data module of fine-grained retrieval: labelled pairs, unlabelled photos, and galleries to measure on."""

from dataclasses import replace
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.seeding import run_seed
from crossx.data.instances import InstanceData
from crossx.data.loading import in_order
from crossx.finegrained.images import InstanceImages
from crossx.finegrained.items import ReadItems, StrokeRows, TrainingItems
from crossx.finegrained.order import BatchNumbers
from crossx.finegrained.types import FineGrainedBatch, FiveBatch
from crossx.pixels.pen import Pen
from crossx.training.lightning_state import is_fast_dev_run, progress
from crossx.training.run_length import Length, in_batches
from crossx.types import ImageBatch, Split


class FineGrainedDataModule(pl.LightningDataModule):
    """Serves batches of labelled pairs and unlabelled photos for training, and galleries with queries to measure on.

    What a batch holds is a pure function of the run's seed, its number and the process: a resumed run goes on with the
    very next batch, and the batches of two processes together are the double batch of one. Random views are the
    module's. Every photo of a split is in the gallery once, and every sketch is a query.

    Args:
        dataset: Photos and their sketches.
        fraction: Share of the training photos whose sketches may be used, in (0, 1]; see `InstanceData.labelled`.
        batch_size: Labelled pairs B in each batch of one process.
        free_batch_size: Unlabelled photos F in each batch of one process; 0 trains on the labelled pairs alone.
        oracle: Whether unlabelled photos come with their true sketches, to measure what there is to gain.
        flip: Probability that photo, sketch and strokes of an item are mirrored together.
        strokes: How the strokes of labelled sketches become rows; None for batches without strokes.
        batches_per_epoch: Training batches between two validations and checkpoints: a number of batches, or a share of
            the run such as 0.25.
        eval_batch_size: Images in each batch of validation and test.
        workers: Loader processes for training and evaluation each.

    Raises:
        InputError: When a number is out of range.
    """

    pen: Pen | None = None
    """Sketches are measured as the data set draws them, and encoders learn from the same ones."""

    def __init__(
        self,
        dataset: InstanceData,
        fraction: float = 0.1,
        batch_size: int = 64,
        free_batch_size: int = 0,
        oracle: bool = False,
        flip: float = 0.5,
        strokes: StrokeRows | None = None,
        batches_per_epoch: Length = 0.25,
        eval_batch_size: int = 256,
        workers: int = 0,
    ) -> None:
        super().__init__()
        must_be_in("data.fraction", fraction, "(0, 1]")
        must_be_in("data.batch_size", batch_size, "[1, inf)")
        must_be_in("data.free_batch_size", free_batch_size, "[0, inf)")
        must_be_in("data.flip", flip, "[0, 1]")
        must_be_in("data.eval_batch_size", eval_batch_size, "[1, inf)")
        must_be_in("data.workers", workers, "[0, inf)")
        least = "(0, 1]" if isinstance(batches_per_epoch, float) else "[1, inf)"
        must_be_in("data.batches_per_epoch", batches_per_epoch, least)
        if oracle and not free_batch_size:
            raise InputError("data.oracle: must be false where data.free_batch_size is 0, got true")
        self.dataset = dataset
        self.fraction = fraction
        self.batch_size, self.free_batch_size = batch_size, free_batch_size
        self.oracle, self.flip, self.strokes = oracle, flip, strokes
        self.batches_per_epoch = batches_per_epoch
        self.eval_batch_size = eval_batch_size
        self.workers = workers
        # Kept open, so that decoded images stay in memory between validations.
        self._opened: dict[Split, tuple[InstanceImages, InstanceImages]] = {}

    @property
    def _trainer(self) -> pl.Trainer:
        if self.trainer is None:
            raise RuntimeError("the data module is used by a Trainer only")
        return self.trainer

    def items(self, rank: int = 0, replicas: int = 1) -> TrainingItems:
        """Training batches of one process.

        Args:
            rank: The process.
            replicas: Number of processes.

        Raises:
            InputError: As for `TrainingItems`.
        """
        return TrainingItems(
            self.dataset,
            self.fraction,
            self.batch_size,
            self.free_batch_size,
            self.oracle,
            self.flip,
            self.strokes,
            run_seed(),
            rank,
            replicas,
        )

    def train_dataloader(self) -> DataLoader[ReadItems]:
        """Batches of this process from the first one that is not done."""
        trainer = self._trainer
        total = progress(trainer).total if isinstance(self.batches_per_epoch, float) else None
        least = trainer.max_steps if is_fast_dev_run(trainer) else 1  # a try-out is one epoch
        length = max(in_batches("data.batches_per_epoch", self.batches_per_epoch, total), least)
        items = self.items(trainer.global_rank, trainer.world_size)
        counter = trainer.fit_loop.epoch_loop.batch_progress
        return DataLoader(
            items,
            batch_size=None,  # an item is a whole batch
            sampler=BatchNumbers(length, lambda: counter.total.ready),
            num_workers=self.workers,
            persistent_workers=self.workers > 0,  # they keep decoded images
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:  # noqa: ANN401 - Lightning's signature
        """Turn what was read into a training batch, on the device."""
        return flipped(batch) if isinstance(batch, ReadItems) else batch

    def images(self, split: Split) -> tuple[InstanceImages, InstanceImages]:
        """Gallery and queries of a split."""
        if split not in self._opened:
            photos, sketches = (InstanceImages(self.dataset, modality, split) for modality in ("photo", "sketch"))
            self._opened[split] = (photos, sketches)
        return self._opened[split]

    def evaluation_loaders(self, split: Split) -> list[DataLoader[ImageBatch]]:
        """Loaders of the gallery (photos) and the queries (sketches) of a split."""
        return [in_order(images, self.eval_batch_size, self.workers) for images in self.images(split)]

    def val_dataloader(self) -> list[DataLoader[ImageBatch]]:
        """Gallery and queries of the validation split."""
        return self.evaluation_loaders("validation")

    def test_dataloader(self) -> list[DataLoader[ImageBatch]]:
        """Gallery and queries of the test split."""
        return self.evaluation_loaders("test")

    def predict_dataloader(self) -> list[DataLoader[ImageBatch]]:
        """Gallery and queries of the test split."""
        return self.test_dataloader()


def flipped(items: ReadItems) -> FineGrainedBatch:
    """Images in [0, 1], of which those that are to be mirrored are; their strokes likewise."""
    batch = FineGrainedBatch(
        photo=_images(items.photo, items.flip),
        sketch=_images(items.sketch, items.flip),
        instance=items.instance,
        five=None if items.five is None else mirrored(items.five, items.flip),
        line_width=items.line_width,
    )
    if items.free_photo is not None and items.free_flip is not None:
        batch.free_photo = _images(items.free_photo, items.free_flip)
        batch.free_instance, batch.free_flip = items.free_instance, items.free_flip
        if items.free_sketch is not None:
            batch.free_sketch = _images(items.free_sketch, items.free_flip)
    return batch


def mirrored(five: FiveBatch, flip: Tensor) -> FiveBatch:
    """Mirror some drawings left to right; the pen starts in the centre, so that only offsets change their sign.

    Args:
        five: B drawings.
        flip: Which ones, (B,) bool.
    """
    rows = five.rows.clone()
    rows[:, :, 0] = torch.where(flip[:, None], -rows[:, :, 0], rows[:, :, 0])
    return replace(five, rows=rows)


def _images(images: Tensor, flip: Tensor) -> Tensor:
    """Float images of uint8 ones, (B, 3, H, W), some of them mirrored."""
    x = images.float().div(255.0)
    return torch.where(flip.view(-1, 1, 1, 1), x.flip(3), x)
