"""The hardest pairs, against numpy on the same embeddings."""

import csv
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from support.runs import CLASSES, SIZE, Teachers, encoding

from crossx.baselines.gaussian_prior import GaussianPairs
from crossx.core.batches import concatenate, take
from crossx.core.errors import InputError
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.losses.sup_con import SupConLoss
from crossx.encoding.module import EncoderModule
from crossx.reports.pictures.hardest import HardestPairs, top_two
from crossx.training.objective import WeightedObjective
from crossx.types import MODALITIES, Modality, PairBatch

Array = npt.NDArray[np.float64]
TEMPERATURE = 0.2


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(1, keepdims=True))
    result: Array = powers / powers.sum(1, keepdims=True)
    return result


def pairs_of(module: EncoderModule, count: int, seed: int) -> PairBatch:
    images = torch.rand(2, count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        pairs: PairBatch = module.teachers(images[0], images[1])
    return pairs


def shown(callback: HardestPairs, module: EncoderModule, folder: Path) -> list[dict[str, str]]:
    trainer: Any = SimpleNamespace(global_step=7)
    callback.show(trainer, module, folder)
    path = folder / "hardest/step_0000007.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def feed(callback: HardestPairs, module: EncoderModule, *batches: object) -> None:
    trainer: Any = None
    for batch in batches:
        callback.on_train_batch_end(trainer, module, None, batch, 0)


def test_table_says_what_numpy_says(teachers: Teachers, tmp_path: Path) -> None:
    module = encoding(teachers)
    pairs = pairs_of(module, 24, seed=0)
    callback = HardestPairs(pairs=3, recent=24, temperature=TEMPERATURE)
    feed(callback, module, take(pairs, slice(0, 12)), take(pairs, slice(12, 24)))
    module.train()
    rows = shown(callback, module, tmp_path)
    assert module.training, "left as it was"

    module.eval()
    with torch.no_grad():
        photo, sketch = (module.encode(getattr(pairs, m), m).double().numpy() for m in MODALITIES)
    hardness = (1 - (photo * sketch).sum(1)) / 2
    hardest = np.argsort(-hardness)[:3]
    logits = {"photo": pairs.photo_teacher.logits, "sketch": pairs.sketch_teacher.logits}
    teacher = {m: softmax(x.double().numpy()) for m, x in logits.items()}
    embeddings, seen = np.concatenate([photo, sketch]), np.concatenate([teacher[m].argmax(1) for m in MODALITIES])
    scores = np.full((48, len(CLASSES)), -np.inf)
    for c in set(seen.tolist()):
        mean = embeddings[seen == c].mean(0)
        scores[:, c] = embeddings @ (mean / np.linalg.norm(mean)) / TEMPERATURE
    encoder = dict(zip(MODALITIES, np.split(softmax(scores), 2), strict=True))

    order = [(str(rank), m, who) for rank in (1, 2, 3) for m in MODALITIES for who in ("encoder", "teacher")]
    assert [(row["rank"], row["image"], row["predicted_by"]) for row in rows] == order
    for row in rows:
        pair = hardest[int(row["rank"]) - 1]
        side: Modality = "photo" if row["image"] == "photo" else "sketch"
        posterior = (teacher if row["predicted_by"] == "teacher" else encoder)[side][pair]
        best = np.argsort(-posterior)[:2]
        assert float(row["hardness"]) == pytest.approx(hardness[pair], abs=1e-4)
        assert [row["first"], row["second"]] == [CLASSES[c] for c in best]
        percent = [float(row["first_percent"]), float(row["second_percent"])]
        assert percent == pytest.approx(list(100 * posterior[best]), abs=0.06)
    with Image.open(tmp_path / "hardest/step_0000007.png") as sheet:
        assert sheet.size[0] == 3 * (192 + 12) + 6


def test_replayed_pairs_are_shown_once(teachers: Teachers, tmp_path: Path) -> None:
    module = encoding(teachers)
    pairs = pairs_of(module, 4, seed=1)
    callback = HardestPairs(pairs=4, recent=12)
    feed(callback, module, concatenate([pairs, pairs, take(pairs, slice(2))]))
    ranks = {row["rank"]: row["hardness"] for row in shown(callback, module, tmp_path)}
    assert list(ranks) == ["1", "2", "3", "4"]
    assert len(set(ranks.values())) == 4


def test_only_recent_pairs_count(teachers: Teachers, tmp_path: Path) -> None:
    module = encoding(teachers)
    old, new = pairs_of(module, 6, seed=2), pairs_of(module, 6, seed=3)
    both, late = HardestPairs(pairs=2, recent=6), HardestPairs(pairs=2, recent=6)
    feed(both, module, old, "a batch of another kind", new)
    feed(late, module, new)
    assert shown(both, module, tmp_path / "both") == shown(late, module, tmp_path / "late") != []


def test_independent_pairs_count_where_they_agree(teachers: Teachers, tmp_path: Path) -> None:
    """An objective that weighs all pairs of a batch wants those of two classes apart."""
    module = encoding(teachers, pairs=partial(GaussianPairs, size=SIZE))
    module.objective = WeightedObjective({"sup_con": EncodingTerm(SupConLoss())})
    pairs = pairs_of(module, 4, seed=4)
    for place, name in enumerate(("photo_teacher", "sketch_teacher")):
        logits = torch.zeros(4, len(CLASSES))
        logits[range(4), [1, 2, 3, 4 + place]] = 9 + torch.arange(4.0)
        setattr(pairs, name, replace(getattr(pairs, name), logits=logits))
    callback = HardestPairs(pairs=4, recent=4)
    feed(callback, module, pairs)
    teachers_say = [row["first"] for row in shown(callback, module, tmp_path) if row["predicted_by"] == "teacher"]
    assert sorted(teachers_say) == sorted(2 * [CLASSES[c] for c in (1, 2, 3)])
    pairs.photo_teacher.logits = pairs.photo_teacher.logits.roll(2, dims=1)
    feed(callback, module, pairs)
    assert shown(callback, module, tmp_path / "none") == []


def test_nothing_before_there_are_pairs(teachers: Teachers, tmp_path: Path) -> None:
    assert shown(HardestPairs(), encoding(teachers), tmp_path) == []


def test_class_without_probability_is_not_named() -> None:
    assert top_two(torch.tensor([0.0, 1.0, 0.0]), ("a", "b", "c")) == [("b", 1.0)]
    assert top_two(torch.tensor([0.25, 0.75, 0.0]), ("a", "b", "c")) == [("b", 0.75), ("a", 0.25)]


def test_joint_run_shows_them_after_a_validation(joint_run: Path) -> None:
    names = {path.name for path in (joint_run / "hardest").iterdir()}
    assert names == {"step_0000004.csv", "step_0000004.png"}, "the first epoch trained the generators alone"


def test_numbers_out_of_range_are_refused() -> None:
    for pairs, recent in ((0, 5), (6, 5)):
        with pytest.raises(InputError, match=rf"^hardest\.pairs: must be in \[1, {recent}\], got {pairs}$"):
            HardestPairs(pairs=pairs, recent=recent)
    with pytest.raises(InputError, match=r"^hardest\.temperature: must be above 0, got 0$"):
        HardestPairs(temperature=0)
