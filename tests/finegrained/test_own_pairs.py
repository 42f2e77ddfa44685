"""The how-to for one's own pairs: its config runs as it stands there."""

import re
from pathlib import Path

import pytest
from support.pair_folders import write_pairs

from crossx.cli.training import train
from crossx.data.paired import PairedData
from crossx.evaluation.instance_metric import InstanceMetric

PAGE = Path(__file__).parents[2] / "docs/how-to/own_pairs.md"


def test_the_config_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pairs(tmp_path / "my_pairs", count=20, parts=False, classes=("car",))
    (tmp_path / "my_pairs/car").rename(tmp_path / "my_pairs/shoe")
    write_pairs(tmp_path / "others", classes=("cup",))
    (tmp_path / "others/cup/train/photo").rename(tmp_path / "more_shoes")
    (config,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "my_pairs.yaml").write_text(config)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CROSSX_DATA", raising=False)
    words = ["--trainer.accelerator", "cpu", "--trainer.fast_dev_run", "true", "--trainer.enable_progress_bar", "false"]
    small = ["--data.batch_size", "4", "--data.fraction", "0.5"]
    cli = train(["fit", "--config", "fg_qmul.yaml", "--config", "my_pairs.yaml", *words, *small])
    assert cli.trainer.global_step > 0
    data = cli.datamodule.dataset
    assert isinstance(data, PairedData)
    assert (data.name, data.classes, data._fixed, data.separate_galleries) == ("my-pairs", ("shoe",), None, False)
    metric = cli.model.retrieval
    assert isinstance(metric, InstanceMetric)
    assert metric.by_sketch is not None
