"""What is read out of source files is what the classes themselves say."""

import inspect

import pytest
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch import nn
from torch.utils.data import Dataset

import crossx.cli.components  # noqa: F401 - loads every class that a config may name
from crossx.cli.signatures import Inside, inside, signature
from crossx.core.specs import loaded_subclasses
from crossx.data.reader import ImageReader
from crossx.encoding.losses.base import EncodingTerm
from crossx.reports.settings import Health, Pictures, Reports, RunRecord

BASES: tuple[type, ...] = (nn.Module, LightningDataModule, Dataset, ImageReader)
LOADED: set[type] = set()
for base in BASES:
    LOADED.update(loaded_subclasses(base))
OURS = {cls for cls in LOADED if cls.__module__.startswith("crossx.")}
READ = sorted((one for one in OURS if signature(one.__name__)), key=str)


@pytest.mark.parametrize("cls", [*READ, EncodingTerm, Reports, RunRecord, Health, Pictures, Trainer])
def test_arguments_are_those_of_the_class(cls: type) -> None:
    found = signature(cls.__name__)
    assert found is not None
    assert list(found.annotations) == list(inspect.signature(cls).parameters)


def test_nearly_all_classes_of_configs_can_be_read() -> None:
    assert len(READ) > 40
    roots = [c for c in OURS if issubclass(c, LightningModule) and c.__name__.endswith("Module")]
    assert {"CoTrainingModule", "EncoderModule", "ReconstructionModule", "ClassifierModule"} <= {
        c.__name__ for c in roots if signature(c.__name__)
    }


def test_other_packages_are_not_read() -> None:
    assert signature("torch.optim.Adam") is None
    assert signature("Adam") is None
    assert signature("my_lab.losses.SupConLoss") is None, "another class of the same name"


def test_what_annotations_tell() -> None:
    module = signature("EncoderModule")
    assert module is not None
    assert inside(module.annotations["terms"]) == Inside("EncodingTerm", is_mapping=True)
    assert inside(module.annotations["optimizer"]) is None
    reports = signature("Reports")
    assert reports is not None
    assert inside(reports.annotations["pictures"]) == Inside("Pictures")
