"""Configs of fine-grained data sets whose images are not in the tests' data."""

import pytest

from crossx.cli.training import build
from crossx.data.paired import PairedData
from crossx.data.qmul_v2 import QMULV2


@pytest.mark.parametrize(("name", "category", "root"), [("shoev2", "shoe", "ShoeV2"), ("chairv2", "chair", "ChairV2")])
def test_qmul_v2_is_configured(name: str, category: str, root: str) -> None:
    words = ["--config", "fg_retrieval.yaml", "--config", f"data/{name}.yaml"]
    data = build(["fit", *words, "--trainer.accelerator", "cpu"]).datamodule.dataset
    assert isinstance(data, PairedData)
    assert (data.name, data.classes, data.size) == (name, (category,), 256)
    readers = data._readers
    assert all(isinstance(reader, QMULV2) and reader.root == root for reader in readers.values())
