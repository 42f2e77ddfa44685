from collections import Counter
from collections.abc import Sequence

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from crossx.classification.data import LabelledImagesDataModule, ShuffledSampler
from crossx.core.errors import InputError
from crossx.data.base import LabelledImages, RetrievalData
from crossx.types import ImageBatch, Modality, Split

COUNTS: dict[Modality, dict[Split, int]] = {
    "photo": {"train": 12, "validation": 4, "test": 5},
    "sketch": {"train": 6, "validation": 4, "test": 2},
}


class Images(LabelledImages):
    """Image i of class i mod 3; its colour is its index, and sketches are 100 brighter."""

    def __init__(self, modality: Modality, classes: Sequence[str], count: int) -> None:
        super().__init__(modality, classes, [i % 3 for i in range(count)], [str(i) for i in range(count)])

    def read(self, i: int, scale: int = 1) -> Tensor:
        return torch.full((3, 4, 4), i + (100 if self.modality == "sketch" else 0), dtype=torch.uint8)


class Data(RetrievalData):
    name, classes, size = "colours", ("red", "green", "blue"), 4
    split_hash = "00"

    def images(self, modality: Modality, split: Split) -> LabelledImages:
        return Images(modality, self.classes, COUNTS[modality][split])


def collect(loader: DataLoader[ImageBatch]) -> list[tuple[int, int, int]]:
    """Colour, label and index of each image."""
    return [
        (round(float(image[0, 0, 0]) * 255), int(label), int(index))
        for batch in loader
        for image, label, index in zip(batch.image, batch.label, batch.index, strict=True)
    ]


def epoch(module: LabelledImagesDataModule, number: int, done: int = 0) -> list[int]:
    """Colours in the order of an epoch, of which `done` batches are done already."""
    loader = module.train_dataloader()
    assert isinstance(loader.sampler, ShuffledSampler)
    loader.sampler.batches_done = lambda: number * len(loader) + done
    return [colour for colour, _, _ in collect(loader)]


def test_stages_get_the_parts_of_their_name() -> None:
    module = LabelledImagesDataModule(Data(), "photo", batch_size=4)
    assert module.classes == ("red", "green", "blue")
    assert sorted(collect(module.train_dataloader())) == [(i, i % 3, i) for i in range(12)]
    assert collect(module.val_dataloader()) == [(i, i % 3, i) for i in range(4)]
    assert collect(module.test_dataloader()) == [(i, i % 3, i) for i in range(5)]
    batch = next(iter(module.test_dataloader()))
    assert batch.image.shape == (4, 3, 4, 4)
    assert batch.image.dtype == torch.float32
    assert batch.modality == "photo"


def test_chosen_classes_are_counted_in_their_order() -> None:
    module = LabelledImagesDataModule(Data(), "sketch", batch_size=2, classes=["blue", "red"])
    assert module.classes == ("blue", "red")
    label = {0: 1, 2: 0}
    native = [i for i in range(4) if i % 3 in label]
    assert collect(module.val_dataloader()) == [(100 + i, label[i % 3], n) for n, i in enumerate(native)]


def test_modality_tells_photos_from_sketches() -> None:
    module = LabelledImagesDataModule(Data(), "modality", batch_size=3, classes=["red", "green"])
    assert module.classes == ("photo", "sketch")
    rows = collect(module.train_dataloader())
    assert all(label == (colour >= 100) for colour, label, _ in rows)
    assert Counter(label for _, label, _ in rows) == {0: 8, 1: 4}
    assert sorted(index for _, _, index in rows) == list(range(12))
    assert all(colour % 100 % 3 != 2 for colour, _, _ in rows)


def test_order_is_a_function_of_seed_and_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    torch.manual_seed(0)
    first = [epoch(LabelledImagesDataModule(Data(), "photo", 3), n) for n in (0, 1)]
    torch.manual_seed(1)
    assert [epoch(LabelledImagesDataModule(Data(), "photo", 4), n) for n in (0, 1)] == first
    assert first[0] != first[1]
    monkeypatch.setenv("PL_GLOBAL_SEED", "6")
    assert epoch(LabelledImagesDataModule(Data(), "photo", 3), 0) != first[0]


def test_a_resume_within_an_epoch_takes_the_rest_of_it() -> None:
    module = LabelledImagesDataModule(Data(), "photo", 3)
    assert epoch(module, 1, done=2) == epoch(module, 1)[6:]


def test_the_batches_of_two_processes_are_the_batch_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    one = epoch(LabelledImagesDataModule(Data(), "photo", 4), 0)
    monkeypatch.setattr("crossx.classification.data.world_size", lambda: 2)
    ranks = []
    for rank in (0, 1):
        monkeypatch.setattr("crossx.classification.data.rank", lambda rank=rank: rank)
        ranks.append(epoch(LabelledImagesDataModule(Data(), "photo", 2), 0))
    assert [x for pair in zip(*ranks, strict=True) for x in pair] == one


def test_epochs_of_a_fit_follow_each_other() -> None:
    class Recorder(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.seen: dict[int, list[int]] = {}

        def training_step(self, batch: ImageBatch) -> None:
            self.seen.setdefault(self.current_epoch, []).extend(batch.index.tolist())

        def configure_optimizers(self) -> None:
            pass

    module, data = Recorder(), LabelledImagesDataModule(Data(), "photo", 3)
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, data)
    assert module.seen == {n: epoch(data, n) for n in (0, 1)}


def test_training_batches_are_full() -> None:
    module = LabelledImagesDataModule(Data(), "photo", batch_size=5)
    assert [len(batch.label) for batch in module.train_dataloader()] == [5, 5]
    with pytest.raises(InputError, match="batch_size: must be at most the 12 training images, got 13"):
        LabelledImagesDataModule(Data(), "photo", batch_size=13).train_dataloader()


def test_workers_give_the_same_batches() -> None:
    plain, parallel = (LabelledImagesDataModule(Data(), "photo", 4, workers=n) for n in (0, 1))
    assert collect(plain.train_dataloader()) == collect(parallel.train_dataloader())


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="classes: 'pink' is unknown; colours has"):
        LabelledImagesDataModule(Data(), "photo", 2, classes=["pink"])
    with pytest.raises(InputError, match="classes: must be named once, 'red' is named twice"):
        LabelledImagesDataModule(Data(), "photo", 2, classes=["red", "red"])
    with pytest.raises(InputError, match="batch_size: must be at least 1, got 0"):
        LabelledImagesDataModule(Data(), "photo", 0)
    with pytest.raises(InputError, match=r"modality: must be one of .*; got 'video'"):
        LabelledImagesDataModule(Data(), "video", 2)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"there is no sketch of blue"):
        LabelledImagesDataModule(Data(), "sketch", 1, classes=["blue"]).test_dataloader()


class Unseen(Data):
    """Without a training photo of the last class."""

    def images(self, modality: Modality, split: Split) -> LabelledImages:
        return Images(modality, self.classes, 2 if split == "train" else 6)


def test_a_class_that_has_no_training_image_is_refused() -> None:
    with pytest.raises(InputError, match=r"classes: must have a training photo each, got none of 'blue'; give them"):
        LabelledImagesDataModule(Unseen(), "photo", batch_size=1).train_dataloader()
    chosen = LabelledImagesDataModule(Unseen(), "photo", batch_size=1, classes=["green", "red"])
    assert len(collect(chosen.train_dataloader())) == 2
    # Photos and sketches of every class are not what a classifier of the modality needs.
    assert len(collect(LabelledImagesDataModule(Unseen(), "modality", batch_size=1).train_dataloader())) == 4
