"""Two processes: saving and validating change nothing, and each image counts once."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from support.processes import run_processes
from support.runs import Teachers, data, joint, trainer, weights
from torch import Tensor

from crossx.classification.accuracy import ImageAccuracy
from crossx.classification.data import LabelledImagesDataModule
from crossx.classification.module import ClassifierModule
from crossx.core.distributed import rank, world_size
from crossx.data.base import LabelledImages, RetrievalData
from crossx.training.players_ddp import PlayersDDP
from crossx.types import Modality, Split

COUNT = 5
"""Images of a part: an odd number."""


class Grey(LabelledImages):
    """Image i is of class i mod 2, and the brighter the larger i."""

    def __init__(self, modality: Modality) -> None:
        super().__init__(modality, ("even", "odd"), [i % 2 for i in range(COUNT)], [str(i) for i in range(COUNT)])

    def read(self, i: int, scale: int = 1) -> Tensor:
        return torch.full((3, 8, 8), 50 * i, dtype=torch.uint8)


class GreyData(RetrievalData):
    name, classes, size, split_hash = "grey", ("even", "odd"), 8, "abc"

    def images(self, modality: Modality, split: Split) -> LabelledImages:
        return Grey(modality)


class FirstIsRight(ClassifierModule):
    """Says class 0 of the first image, which is right, and class 1 of all others."""

    def forward(self, images: Tensor) -> Tensor:
        first = (images.amax((1, 2, 3)) == 0).long()
        return torch.nn.functional.one_hot(1 - first, 2).float()


def accuracies(folder: Path) -> dict[str, Tensor]:
    """Accuracy in validation and test, and how many batches this process saw."""
    images = LabelledImagesDataModule(GreyData(), "photo", batch_size=2)
    run = trainer(folder, devices=world_size())
    module = FirstIsRight(str(folder / "t.safetensors"), 8, arguments={"widths": [8, 8]})
    found = {**run.validate(module, images, verbose=False)[0], **run.test(module, images, verbose=False)[0]}
    return {name: torch.tensor(value) for name, value in found.items()}


def uneven() -> dict[str, Tensor]:
    """The metric alone: three images here, two there, and one of both."""
    metric = ImageAccuracy()
    index = torch.tensor([[0, 1, 2], [3, 4, 0]][rank()] if world_size() > 1 else [0, 1, 2, 3, 4])
    right = index < 2  # the first two
    metric.update(torch.nn.functional.one_hot(right.long(), 2).float(), torch.ones_like(index), index)
    return {"accuracy": metric.compute()}


def fit(teachers: Teachers, folder: Path, checkpoints: bool, validations: bool) -> dict[str, Tensor]:
    """Weights, with this process's own running statistics, after nine batches."""
    module = joint(teachers, "batch")
    save = [ModelCheckpoint(folder, every_n_train_steps=1, save_top_k=-1, filename="{step}")] if checkpoints else []
    arguments = {"limit_val_batches": 1.0 if validations else 0, "enable_checkpointing": checkpoints}
    run = trainer(folder, 9, save, strategy=PlayersDDP(), devices=2, num_sanity_val_steps=0, **arguments)
    run.fit(module, datamodule=data(teachers, evaluated=True, batches_per_epoch=2))
    return weights(module)


def everything(teachers: Teachers, folder: Path) -> dict[str, dict[str, Tensor]]:
    return {
        "plain": fit(teachers, folder / "plain", checkpoints=False, validations=False),
        "saved": fit(teachers, folder / "saved", checkpoints=True, validations=False),
        "validated": fit(teachers, folder / "validated", checkpoints=False, validations=True),
        "accuracies": accuracies(folder),
        "uneven": uneven(),
    }


@pytest.fixture(scope="module")
def two(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Tensor]]]:
    return run_processes(2, everything, teachers, tmp_path_factory.mktemp("two"))


@pytest.mark.parametrize("observed", ["saved", "validated"])
def test_a_run_that_is_saved_or_validated_often_is_the_same_run(
    two: list[dict[str, dict[str, Tensor]]], observed: str
) -> None:
    for process in two:
        expected, found = process["plain"], process[observed]
        assert [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])] == []
    first, second = (process["plain"] for process in two)
    own = {name for name, tensor in first.items() if not torch.equal(tensor, second[name])}
    assert own, "each process has running statistics of its own"
    assert all("running_" in name for name in own)


def test_each_image_counts_once(two: list[dict[str, dict[str, Tensor]]], tmp_path: Path) -> None:
    """The first image and the odd ones are right: three of five. Padding would make it four of six."""
    assert accuracies(tmp_path) == {"val/accuracy": torch.tensor(0.6), "test/accuracy": torch.tensor(0.6)}
    assert uneven() == {"accuracy": torch.tensor(0.4)}
    for process in two:
        assert process["accuracies"] == accuracies(tmp_path)
        assert process["uneven"] == uneven()
