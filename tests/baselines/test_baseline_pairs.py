"""Pairs of the baselines: noise, and real images of other classes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from support.runs import CLASSES, SIZE, Teachers, encoding, reconstruction, save_teachers
from torch import Tensor

from crossx.baselines import AlternativePairs, GaussianPairs
from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.data.base import LabelledImages, RetrievalData
from crossx.pairs.latents import LatentDataset
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import load_teacher, save_teacher
from crossx.types import Modality, PairBatch, Split


class Numbered(LabelledImages):
    """Image i has the value i in its red channel, and its modality in the green one."""

    def read(self, i: int, scale: int = 1) -> Tensor:
        image = torch.zeros(3, SIZE, SIZE, dtype=torch.uint8)
        image[0], image[1] = i, 255 * (self.modality == "sketch")
        return image


class Other(RetrievalData):
    """Three images a class and modality; only the training part may be asked for."""

    name, size, split_hash = "other", SIZE, "0"

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)

    def images(self, modality: Modality, split: Split) -> LabelledImages:
        assert split == "train"
        labels = np.repeat(np.arange(len(self.classes)), 3)
        return Numbered(modality, self.classes, labels, [str(i) for i in range(len(labels))])


def drawn(source: AlternativePairs | GaussianPairs, count: int = 60) -> PairBatch:
    items = source.loaded(LatentDataset(0, 1, count), None)
    return source.sample(stack([items[i] for i in range(count)]))


@pytest.fixture
def pair(teachers: Teachers) -> TeacherPair:
    return TeacherPair(*teachers)


def test_noise_is_labelled_by_the_teachers(pair: TeacherPair, monkeypatch: pytest.MonkeyPatch) -> None:
    source = GaussianPairs(pair, SIZE)
    pairs = drawn(source)
    assert not source.real
    assert pairs.photo.shape == pairs.sketch.shape == (60, 3, SIZE, SIZE)
    for images in (pairs.photo, pairs.sketch):
        assert images.mean() == pytest.approx(0.5, abs=0.01)
        assert images.std() == pytest.approx(0.359, abs=0.01)  # 0.5, as on the cards, and a third of it cut
        assert images.min() == 0
        assert images.max() == 1
    assert torch.equal(pairs.sketch[:, 0], pairs.sketch[:, 2])
    assert not torch.equal(pairs.photo[:, 0], pairs.photo[:, 1])
    torch.testing.assert_close(pairs.photo_teacher.logits, pair.photo(pairs.photo).logits)
    most_likely = pair.vocabulary.most_likely(pairs.photo_teacher.logits, pairs.sketch_teacher.logits)
    assert torch.equal(pairs.target, most_likely)
    assert torch.equal(drawn(source).photo, pairs.photo)
    monkeypatch.setenv("PL_GLOBAL_SEED", "1")
    assert not torch.equal(drawn(source).photo, pairs.photo)


def test_noise_is_in_the_units_of_its_teacher(tmp_path: Path) -> None:
    paths = save_teachers(tmp_path)
    for path, mean, std in ((paths.photo, (0.2, 0.4, 0.6), (0.05, 0.1, 0.15)), (paths.sketch, (0.8,) * 3, (0.02,) * 3)):
        teacher = load_teacher(path)
        save_teacher(path, teacher.network, replace(teacher.card, mean=mean, std=std))
    source = GaussianPairs(TeacherPair(*paths), SIZE)
    pairs = drawn(source)
    torch.testing.assert_close(pairs.photo.mean((0, 2, 3)), torch.tensor([0.2, 0.4, 0.6]), atol=0.01, rtol=0)
    torch.testing.assert_close(pairs.photo.std((0, 2, 3)), torch.tensor([0.05, 0.1, 0.15]), atol=0.01, rtol=0)
    assert pairs.sketch.mean() == pytest.approx(0.8, abs=0.01)
    assert pairs.sketch.std() == pytest.approx(0.02, abs=0.002)


def test_alternative_data_are_other_classes_at_random(pair: TeacherPair, monkeypatch: pytest.MonkeyPatch) -> None:
    source = AlternativePairs(pair, Other(["moon", "sun", "star"]))
    assert source.real
    pairs = drawn(source, count=400)
    photo, sketch = ((255 * images[:, 0, 0, 0]).round().int() for images in (pairs.photo, pairs.sketch))
    assert (pairs.photo[:, 1] == 0).all()
    assert (pairs.sketch[:, 1] == 1).all()
    assert len({(int(p), int(s)) for p, s in zip(photo, sketch, strict=True)}) > 70  # of the 81 pairs
    torch.testing.assert_close(pairs.sketch_teacher.logits, pair.sketch(pairs.sketch).logits)
    most_likely = pair.vocabulary.most_likely(pairs.photo_teacher.logits, pairs.sketch_teacher.logits)
    assert torch.equal(pairs.target, most_likely)
    assert torch.equal(drawn(source, count=400).photo, pairs.photo)
    monkeypatch.setenv("PL_GLOBAL_SEED", "1")
    assert not torch.equal(drawn(source, count=400).photo, pairs.photo)


def test_alternative_data_have_no_class_of_a_teacher(pair: TeacherPair) -> None:
    known = f"{CLASSES[3]}, {CLASSES[1]}"
    with pytest.raises(InputError, match=rf"^pairs\.data: must hold only classes that no teacher has, got {known}; "):
        AlternativePairs(pair, Other(["moon", CLASSES[3], CLASSES[1]]))


@pytest.mark.parametrize("source", [partial(GaussianPairs, size=SIZE), partial(AlternativePairs, data=Other(["moon"]))])
def test_generators_have_no_place_here(
    teachers: Teachers, source: Callable[[TeacherPair], GaussianPairs | AlternativePairs]
) -> None:
    """A joint run has generators, so other pairs would go unused."""
    name = type(source(TeacherPair(*teachers))).__name__
    with pytest.raises(InputError, match=rf"^model\.encoding\.pairs: must be left out of a joint run, .* got {name}$"):
        CoTrainingModule(reconstruction(teachers), encoding(teachers, pairs=source))


@pytest.mark.parametrize(("source", "missing"), [(GaussianPairs, "size"), (AlternativePairs, "data")])
def test_what_a_source_needs_is_named(
    teachers: Teachers, source: type[GaussianPairs | AlternativePairs], missing: str
) -> None:
    with pytest.raises(InputError, match=rf"^pairs: {source.__name__}: missing .*; init_args must name {missing}$"):
        encoding(teachers, pairs=source)


@pytest.mark.parametrize("size", [0, -1])
def test_size_is_positive(pair: TeacherPair, size: int) -> None:
    with pytest.raises(InputError, match=rf"^pairs\.size: must be at least 1, got {size}$"):
        GaussianPairs(pair, size)
