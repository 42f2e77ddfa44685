"""The data module of all three ways to train: latents for training, real images for validation and test."""

from typing import Any, cast

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from crossx.core.checks import did_you_mean, must_be_in, some
from crossx.core.errors import InputError
from crossx.core.seeding import run_seed
from crossx.data.base import LabelledImages, RetrievalData
from crossx.data.loading import in_order
from crossx.data.redrawn import redrawn
from crossx.pairs.latents import LatentDataset, LatentSampler, collate
from crossx.pixels.pen import Pen
from crossx.teachers.teacher import read_card
from crossx.teachers.vocabulary import Vocabulary
from crossx.training.guided import TeacherGuided
from crossx.training.lightning_state import is_fast_dev_run, progress
from crossx.training.run_length import Length, in_batches
from crossx.types import ImageBatch, LatentBatch, Modality, PairTrainer, Split


class SyntheticPairsDataModule(pl.LightningDataModule):
    """Serves latents, turns them into photo-sketch pairs on the device, and serves real images for evaluation only.

    The loader's workers carry numbers. When the coming batch is to consist of pairs, the transfer hook makes
    them with the root's pair source, on the device, without gradient and in the run's precision; it passes
    everything else through. What kind of pairs (live, saved or real ones) is the module's choice.

    Args:
        dataset: Real images for validation and test; None for a run that is never evaluated (reconstruction alone).
        batch_size: B of one process, in latents.
        batches_per_epoch: Training batches between two validations and checkpoints: a number of batches, or a share of
            the run such as 0.25.
        eval_batch_size: Images a batch in validation and test.
        workers: Loader processes for training and evaluation each.
        photo_teacher: The photo teacher's file, whose class names the data set's classes must be among; filled in by
            the command line from `teachers.photo`.
        sketch_teacher: The same for sketches.
        aliases: Other spellings of class names, from `teachers.aliases` in the same way.
        pen: Style in which the data set's sketches are redrawn; None for the pen on the sketch teacher's card. A pen
            without arguments leaves them as they are.
        unknown_classes: Whether the data set may have classes that a teacher does not know: to measure retrieval of
            unseen or half-known classes. Otherwise such a class is taken for a mistake.

    Raises:
        InputError: When a number is out of range, two classes of the data set are one class to the teachers, or a class
            is not known to both teachers and `unknown_classes` does not allow it.
    """

    def __init__(
        self,
        dataset: RetrievalData | None = None,
        batch_size: int = 128,
        batches_per_epoch: Length = 0.25,
        eval_batch_size: int = 256,
        workers: int = 0,
        photo_teacher: str | None = None,
        sketch_teacher: str | None = None,
        aliases: dict[str, str] | None = None,
        pen: Pen | None = None,
        unknown_classes: bool = False,
    ) -> None:
        super().__init__()
        must_be_in("data.batch_size", batch_size, "[1, inf)")
        must_be_in("data.eval_batch_size", eval_batch_size, "[1, inf)")
        must_be_in("data.workers", workers, "[0, inf)")
        least = "(0, 1]" if isinstance(batches_per_epoch, float) else "[1, inf)"
        must_be_in("data.batches_per_epoch", batches_per_epoch, least)
        if pen is None and sketch_teacher is not None:
            pen = read_card(sketch_teacher, "teachers.sketch").pen
        self.pen = pen
        self.dataset = None if dataset is None else redrawn(dataset, pen)
        self.batch_size = batch_size
        self.batches_per_epoch = batches_per_epoch
        self.eval_batch_size = eval_batch_size
        self.workers = workers
        # Kept open, so that decoded images stay in memory between validations.
        self._opened: dict[Split, tuple[LabelledImages, LabelledImages]] = {}
        if dataset is not None and photo_teacher is not None and sketch_teacher is not None:
            cards = (read_card(photo_teacher, "teachers.photo"), read_card(sketch_teacher, "teachers.sketch"))
            vocabulary = Vocabulary(cards[0].classes, cards[1].classes, aliases)
            check_distinct(dataset.classes, vocabulary)
            if not unknown_classes:
                check_classes(dataset.classes, vocabulary)

    def setup(self, stage: str) -> None:
        """Check data set and pair source before anything is measured or trained.

        Args:
            stage: What the trainer is about to do, such as `fit`.

        Raises:
            InputError: When two classes of the data set are one class to the teachers, or the pair source cannot serve
                the batches, as where a replay pool is too small.
        """
        root = self._trainer.lightning_module
        if self.dataset is not None and isinstance(root, TeacherGuided):
            check_distinct(self.dataset.classes, root.teachers.vocabulary)
        if stage == "fit" and (source := self._root().pair_source) is not None:
            source.check_batch(self.batch_size)

    def _root(self) -> PairTrainer:
        root: Any = self._trainer.lightning_module  # typed as LightningModule; a `PairTrainer` by the contract
        return cast(PairTrainer, root)

    @property
    def _trainer(self) -> pl.Trainer:
        if self.trainer is None:
            raise RuntimeError("the data module is used by a Trainer only")
        return self.trainer

    def train_dataloader(self) -> DataLoader[LatentBatch]:
        """Latents, and for training with data the images that belong to them."""
        trainer, root = self._trainer, self._root()
        total = progress(trainer).total if isinstance(self.batches_per_epoch, float) else None
        least = trainer.max_steps if is_fast_dev_run(trainer) else 1  # a try-out is one epoch
        batches = max(in_batches("data.batches_per_epoch", self.batches_per_epoch, total), least)
        length = self.batch_size * batches * trainer.world_size
        latents = LatentDataset(run_seed(), root.latent_dim, length)
        source = root.pair_source
        counter = trainer.fit_loop.epoch_loop.batch_progress
        return DataLoader(
            latents if source is None else source.loaded(latents, self.dataset),
            self.batch_size,
            sampler=LatentSampler(
                latents, trainer.world_size, trainer.global_rank, self.batch_size, lambda: counter.total.ready
            ),
            num_workers=self.workers,
            persistent_workers=self.workers > 0,  # they keep decoded images
            collate_fn=collate,
            drop_last=True,
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:  # noqa: ANN401 - Lightning's signature
        """Make pairs of the latents of a batch that is to consist of pairs."""
        trainer, root = self._trainer, self._root()
        if not (trainer.training and isinstance(batch, LatentBatch) and root.wants_pairs(progress(trainer))):
            return batch
        source = root.pair_source
        if source is None:
            raise InputError("model: must have a pair_source, because wants_pairs is true, got None")
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            pairs = source.sample(batch)
        pairs.photo, pairs.sketch = pairs.photo.float(), pairs.sketch.float()
        return pairs

    def images(self, split: Split) -> tuple[LabelledImages, LabelledImages]:
        """Gallery and queries of a split.

        Raises:
            InputError: When the run has no data set to evaluate on.
        """
        if self.dataset is None:
            raise InputError("data.dataset: must be named in a run that is evaluated, got null")
        if split not in self._opened:
            self._opened[split] = (self.dataset.images("photo", split), self.dataset.images("sketch", split))
        return self._opened[split]

    def evaluation_loaders(self, split: Split) -> list[DataLoader[ImageBatch]]:
        """Loaders of the gallery (photos) and the queries (sketches) of a split."""
        return [in_order(images, self.eval_batch_size, self.workers) for images in self.images(split)]

    def val_dataloader(self) -> list[DataLoader[ImageBatch]]:
        """Gallery and queries of the validation split; nothing where the run is not evaluated."""
        return [] if self.dataset is None else self.evaluation_loaders("validation")

    def test_dataloader(self) -> list[DataLoader[ImageBatch]]:
        """Gallery and queries of the test split."""
        return self.evaluation_loaders("test")

    def predict_dataloader(self) -> list[DataLoader[ImageBatch]]:
        """Gallery and queries of the test split."""
        return self.test_dataloader()


def check_distinct(classes: tuple[str, ...], vocabulary: Vocabulary) -> None:
    """Refuse a data set with two classes that are one class to the teachers: right photos would count as wrong.

    Raises:
        InputError: Naming both classes, and the class of the teachers.
    """
    seen: dict[str, str] = {}
    for name in classes:
        canonical = vocabulary.canonical(name)
        if canonical in seen:
            raise InputError(
                f"data.dataset: classes must differ for the teachers, got {seen[canonical]!r} and {name!r}, which are "
                f"both {canonical!r} by teachers.aliases; join them in the class map, or take the alias away"
            )
        seen[canonical] = name


def check_classes(classes: tuple[str, ...], vocabulary: Vocabulary) -> None:
    """Refuse a data set with classes that a teacher does not know.

    Raises:
        InputError: Naming the classes and what is legal.
    """
    sides: tuple[Modality, Modality] = ("photo", "sketch")
    for side in sides:
        known = [name for name, yes in zip(vocabulary.union, vocabulary.known(side).tolist(), strict=True) if yes]
        unknown = [name for name in classes if vocabulary.canonical(name) not in known]
        if unknown:
            raise InputError(
                f"data.dataset: the {side} teacher does not know {some(map(repr, unknown), most=5)}; its classes are "
                f"{some(known, unknown[0])}{did_you_mean(unknown[0], known)} "
                "(teachers.aliases joins different spellings; data.unknown_classes: true measures what is unknown)"
            )
