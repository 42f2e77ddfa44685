"""How often teachers see classes, against counting."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers.logger import DummyLogger
from PIL import Image
from support.commands import RECONSTRUCTION, config, run
from support.runs import CLASSES, SIZE, Teachers, data, encoding, joint, reconstruction, trainer

from crossx.core.batches import concatenate
from crossx.core.errors import InputError
from crossx.reports.pictures.charts import PHOTO, SKETCH, bar_chart
from crossx.reports.pictures.histograms import ClassHistograms, count_classes
from crossx.types import PairBatch


class KeepingLogger(DummyLogger):
    """Remembers what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.logged: list[tuple[int | None, dict[str, float]]] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:  # noqa: ANN401
        self.logged.append((step, dict(metrics)))


def table(folder: Path, step: int) -> dict[str, list[int]]:
    """Column to counts, in the order of the classes."""
    with (folder / f"classes/step_{step:07d}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == list(CLASSES)
    return {name: [int(row[name]) for row in rows] for name in ("photo", "sketch", "both")}


def pairs_of(teachers: Any, count: int, seed: int) -> PairBatch:  # noqa: ANN401 - a TeacherPair
    images = torch.rand(2, count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    pairs: PairBatch = teachers(images[0], images[1])
    return pairs


def test_counts_are_those_of_counting(teachers: Teachers) -> None:
    judges = encoding(teachers).teachers
    pairs = pairs_of(judges, 40, seed=0)
    photo = pairs.photo_teacher.logits.argmax(1).tolist()
    sketch = pairs.sketch_teacher.logits.argmax(1).tolist()
    expected = [Counter(photo), Counter(sketch), Counter(p for p, s in zip(photo, sketch, strict=True) if p == s)]
    assert count_classes(pairs, judges).tolist() == [[c[i] for i in range(len(CLASSES))] for c in expected]
    assert sum(expected[2].values()) > 0


def test_counts_all_pairs_since_the_last_time(teachers: Teachers, tmp_path: Path) -> None:
    module, logger = encoding(teachers), KeepingLogger()
    quiet: Any = trainer(tmp_path, logger=logger)
    quiet.strategy._lightning_module = module
    batches = [pairs_of(module.teachers, 10, seed) for seed in range(3)]
    callback = ClassHistograms()
    for batch in batches[:2]:
        callback.on_train_batch_end(quiet, module, None, batch, 0)
    callback.show(quiet, module, tmp_path)
    counts = count_classes(concatenate(batches[:2]), module.teachers)
    assert list(table(tmp_path, 0).values()) == counts.tolist()
    ((step, logged),) = logger.logged
    assert (step, set(logged)) == (0, {"encode/pair_agreement"})
    assert logged["encode/pair_agreement"] == pytest.approx(int(counts[2].sum()) / 20)
    callback.on_train_batch_end(quiet, module, None, batches[2], 0)
    callback.show(quiet, module, tmp_path)
    assert list(table(tmp_path, 0).values()) == count_classes(batches[2], module.teachers).tolist()
    assert len(logger.logged) == 2


def test_generators_alone_are_counted_on_fixed_latents(teachers: Teachers, tmp_path: Path) -> None:
    content = config(teachers, tmp_path, RECONSTRUCTION)
    run("fit", tmp_path / "c.yaml", content)
    folder = tmp_path / "run/version_0"
    for step in (2, 4):
        found = table(folder, step)
        assert sum(found["photo"]) == sum(found["sketch"]) == 8, "a batch"
        assert sum(found["both"]) <= 8
    assert not (folder / "hardest").exists()
    assert not (folder / "encoders.safetensors").exists()
    assert (folder / "filmstrip.png").is_file()
    assert "encode/pair_agreement" not in (folder / "metrics.csv").read_text()


def test_shown_at_validations_only_where_there_are_any(teachers: Teachers, tmp_path: Path) -> None:
    """Epochs have 5 steps; every other one is validated."""
    quiet = trainer(tmp_path, 20, [ClassHistograms()], check_val_every_n_epoch=2)
    quiet.fit(joint(teachers), datamodule=data(teachers, evaluated=True))
    assert sorted(p.name for p in (tmp_path / "classes").glob("*.csv")) == ["step_0000010.csv", "step_0000020.csv"]


def test_joint_run_logs_agreement_in_its_table(joint_run: Path) -> None:
    found = table(joint_run, 4)
    with (joint_run / "metrics.csv").open(newline="") as file:
        logged = [float(row["encode/pair_agreement"]) for row in csv.DictReader(file) if row["encode/pair_agreement"]]
    assert logged == [pytest.approx(sum(found["both"]) / sum(found["photo"]))]


def test_bars_are_as_long_as_their_shares() -> None:
    shares = {"a": (0.5, 0.25), "b": (0.0, 0.125)}
    picture = np.asarray(bar_chart(shares, ("photo", "sketch"), 0.25, "title"))
    lengths = [
        (picture[48 + 22 * row + 9 * i + 3, 150:570] == colour).all(1).sum()
        for row in range(2)
        for i, colour in enumerate((PHOTO, SKETCH))
    ]
    assert lengths == pytest.approx([420, 210, 0, 105], abs=3)


def test_picture_has_a_row_a_class_up_to_the_limit(joint_run: Path, teachers: Teachers, tmp_path: Path) -> None:
    with Image.open(joint_run / "classes/step_0000004.png") as picture:
        assert picture.height == 48 + 22 * 10 + 8
    module = reconstruction(teachers)
    ClassHistograms(classes=3).show(trainer(tmp_path), module, tmp_path)
    with Image.open(tmp_path / "classes/step_0000000.png") as picture:
        assert picture.height == 48 + 22 * 3 + 8
    assert len(table(tmp_path, 0)["photo"]) == 10


def test_number_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"^histograms\.classes: must be at least 1, got 0$"):
        ClassHistograms(classes=0)
