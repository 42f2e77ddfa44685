from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from support.runs import (
    CLASSES,
    MODALITIES,
    SIZE,
    Teachers,
    data,
    encoding,
    joint,
    reconstruction,
    save_teachers,
    trainer,
)

from crossx.core.errors import InputError
from crossx.cotraining.schedule import Schedule
from crossx.data.shapes.dataset import ShapesDataset
from crossx.pairs.datamodule import SyntheticPairsDataModule, check_classes, check_distinct
from crossx.pairs.replay import Replay
from crossx.pairs.sources import RealPairs
from crossx.reports.run.baselines import TeacherBaselines
from crossx.teachers.pair import TeacherPair
from crossx.teachers.vocabulary import Vocabulary
from crossx.types import ImageBatch, LatentBatch, PairBatch


class Keep(Callback):
    """Keeps the batches that arrive at the root module."""

    def __init__(self) -> None:
        self.training: list[Any] = []
        self.validation: list[Any] = []

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        self.training.append(batch)

    def on_validation_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.validation.append(batch)


@pytest.mark.parametrize(
    ("name", "value", "legal"),
    [
        ("batch_size", 0, "at least 1"),
        ("batches_per_epoch", 0, "at least 1"),
        ("batches_per_epoch", 0.0, r"in \(0, 1\]"),
        ("batches_per_epoch", 1.5, r"in \(0, 1\]"),
        ("eval_batch_size", -3, "at least 1"),
        ("workers", -1, "at least 0"),
    ],
)
def test_number_out_of_range(name: str, value: Any, legal: str) -> None:  # noqa: ANN401 - unpacked below
    with pytest.raises(InputError, match=rf"^data\.{name}: must be {legal}, got {value}$"):
        SyntheticPairsDataModule(**{name: value})


@pytest.mark.parametrize("side", MODALITIES)
def test_class_unknown_to_one_teacher(tmp_path: Path, side: str) -> None:
    classes = {m: CLASSES if m != side else CLASSES[2:] for m in MODALITIES}
    few = save_teachers(tmp_path, classes=classes)
    message = rf"^data\.dataset: the {side} teacher does not know {CLASSES[0]!r}, {CLASSES[1]!r}; its classes are "
    with pytest.raises(InputError, match=message):
        data(few, evaluated=True)
    data(few)  # nothing to evaluate on, nothing to know


def test_two_classes_of_the_data_set_that_are_one_class_to_the_teachers_are_refused(tmp_path: Path) -> None:
    """From the command line when the data are built, from Python when a run begins; also where classes are unknown."""
    teachers = save_teachers(tmp_path, classes={"photo": CLASSES[2:], "sketch": CLASSES[2:]})
    aliases = {CLASSES[0]: CLASSES[2]}
    one = rf"data\.dataset: classes must differ .* got '{CLASSES[0]}' and '{CLASSES[2]}', which are both '{CLASSES[2]}'"
    for unknown in (False, True):
        with pytest.raises(InputError, match=one):
            data(teachers, evaluated=True, aliases=aliases, unknown_classes=unknown)
    with pytest.raises(InputError, match=one):
        trainer(tmp_path).validate(encoding(teachers, aliases=aliases), datamodule=data(evaluated=True), verbose=False)


def test_classes_may_have_an_alias_each() -> None:
    vocabulary = Vocabulary(["car", "dog"], ["dog", "car"], {"auto": "car", "hound": "dog"})
    check_distinct(("auto", "hound"), vocabulary)
    with pytest.raises(InputError, match="got 'auto' and 'car', which are both 'car'"):
        check_distinct(("hound", "auto", "car"), vocabulary)


def test_unknown_classes_are_measured_where_that_is_asked(tmp_path: Path) -> None:
    few = save_teachers(tmp_path, classes={"photo": CLASSES[:6], "sketch": CLASSES[4:9]})
    quiet = trainer(tmp_path)
    baselines = TeacherBaselines()
    quiet.callbacks.append(baselines)  # type: ignore[attr-defined]  # set in Trainer's constructor
    (found,) = quiet.validate(joint(few), datamodule=data(few, evaluated=True, unknown_classes=True), verbose=False)[:1]
    assert 0 < found["val/map_all"] < 1
    assert set(baselines.results["validation"]) == {"features", "posterior"}
    assert len(baselines.scores["validation"]["posterior"].ap_all) == 2 * len(CLASSES)


def test_aliases_join_spellings() -> None:
    check_classes(("auto", "dog"), Vocabulary(["car", "dog"], ["dog", "auto"], {"auto": "car"}))
    with pytest.raises(InputError, match=r"photo teacher does not know 'auto'; its classes are car, dog "):
        check_classes(("auto", "dog"), Vocabulary(["car", "dog"], ["dog", "auto"]))
    many = tuple(f"c{i}" for i in range(7))
    with pytest.raises(InputError, match=r"'c4' and 2 more; its classes are a, b \("):
        check_classes(many, Vocabulary(["a", "b"], ["a", "b"]))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_pairs_that_the_transfer_hook_makes(teachers: Teachers, tmp_path: Path, precision: Any) -> None:  # noqa: ANN401
    keep = Keep()
    run = trainer(tmp_path, 4, [keep], precision=precision, num_sanity_val_steps=1)
    run.fit(joint(teachers, "batch", schedule=Schedule(warmup=1)), datamodule=data(teachers, evaluated=True))
    pairs = [batch for batch in keep.training if isinstance(batch, PairBatch)]
    assert pairs
    assert {type(batch) for batch in keep.training} == {LatentBatch, PairBatch}
    of_teachers = [output for batch in pairs for output in (batch.photo_teacher, batch.sketch_teacher)]
    for image in (image for batch in pairs for image in (batch.photo, batch.sketch)):
        assert image.dtype == torch.float32
        assert image.shape == (4, 3, SIZE, SIZE)
        assert image.min() >= 0
        assert image.max() <= 1
        assert image.std() > 0
    expected = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    assert {output.logits.dtype for output in of_teachers} == {expected}  # in the run's precision
    tensors = [x for batch in pairs for x in (batch.photo, batch.sketch, batch.target)]
    for x in tensors + [x for output in of_teachers for x in (output.logits, output.features)]:
        assert not x.requires_grad
        assert x.grad_fn is None
        assert not x.is_inference()
    assert keep.validation
    assert {type(batch) for batch in keep.validation} == {ImageBatch}


class Learning(RealPairs):
    """A user's source that takes no care of gradients."""

    def __init__(self, teachers: TeacherPair) -> None:
        super().__init__(teachers)
        self.scale = torch.ones((), requires_grad=True)

    def sample(self, latents: LatentBatch) -> PairBatch:
        assert latents.photo is not None
        latents.photo = latents.photo * self.scale
        return super().sample(latents)


def test_pairs_of_a_careless_source_have_no_graph(teachers: Teachers, tmp_path: Path) -> None:
    keep, module = Keep(), encoding(teachers, pairs=Learning)
    run = trainer(tmp_path, 2, [keep], limit_val_batches=0)
    run.fit(module, datamodule=data(teachers, evaluated=True))
    source = module.pair_source
    assert isinstance(source, Learning)
    assert source.scale.grad is None
    assert not any(x.requires_grad for pairs in keep.training for x in (pairs.photo, pairs.photo_teacher.logits))


def test_kind_of_module_decides_the_kind_of_batch(teachers: Teachers, tmp_path: Path) -> None:
    generators, encoders = Keep(), Keep()
    trainer(tmp_path, 3, [generators], limit_val_batches=0).fit(reconstruction(teachers), datamodule=data(teachers))
    with_data = encoding(teachers, pairs=RealPairs)
    trainer(tmp_path, 3, [encoders], limit_val_batches=0).fit(with_data, datamodule=data(teachers, evaluated=True))
    assert [type(batch) for batch in generators.training] == [LatentBatch] * 3
    assert [type(batch) for batch in encoders.training] == [PairBatch] * 3


@pytest.mark.parametrize("workers", [0, 1])
def test_latents_go_on_over_epochs_without_gap(teachers: Teachers, tmp_path: Path, workers: int) -> None:
    keep = Keep()
    images = data(teachers, batches_per_epoch=3, workers=workers)
    trainer(tmp_path, 8, [keep], limit_val_batches=0).fit(reconstruction(teachers), datamodule=images)
    assert torch.cat([batch.index for batch in keep.training]).tolist() == list(range(8 * 4))
    assert keep.training[0].noise.shape == (4, 8)


def test_evaluation_sees_every_image_of_its_split_once(teachers: Teachers, tmp_path: Path) -> None:
    keep = Keep()
    images = data(teachers, evaluated=True, eval_batch_size=8)
    run = trainer(tmp_path, 1, [keep])
    run.validate(encoding(teachers), datamodule=images, verbose=False)
    photos, sketches = (
        [batch for batch in keep.validation if batch.modality == modality] for modality in ("photo", "sketch")
    )
    for batches in (photos, sketches):
        assert [len(batch.index) for batch in batches] == [8, 8, 4]
        assert torch.cat([batch.index for batch in batches]).tolist() == list(range(20))
    assert images.images("validation") is images.images("validation")
    shown = ShapesDataset(size=SIZE, train=2, validation=2, test=2).images("photo", "validation")
    assert torch.equal(photos[0].image[3], shown[3].image)


def test_without_a_dataset_nothing_is_evaluated() -> None:
    assert data().val_dataloader() == []
    with pytest.raises(InputError, match=r"^data\.dataset: must be named in a run that is evaluated, got null$"):
        data().test_dataloader()


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_share_of_the_run_is_an_epoch(teachers: Teachers, tmp_path: Path, share: float) -> None:
    run = trainer(tmp_path, 8, limit_val_batches=0)
    run.fit(reconstruction(teachers), datamodule=data(teachers, batches_per_epoch=share))
    assert run.num_training_batches == 8 * share
    assert run.current_epoch == 1 / share


def test_pool_smaller_than_a_batch_s_share_is_refused_before_anything_trains(
    teachers: Teachers, tmp_path: Path
) -> None:
    """The warm-up of the generators, who need no pool, comes first."""
    replay = partial(Replay, share=0.5, size=len(CLASSES))
    module, keep = joint(teachers, schedule=Schedule(warmup=5), replay=replay), Keep()
    run = trainer(tmp_path, 6, [keep], limit_val_batches=0)
    with pytest.raises(InputError, match=r"^replay\.size: must hold the 11 pairs that a batch of 22 replays, got 10"):
        run.fit(module, datamodule=data(teachers, batch_size=22))
    assert keep.training == []
    run.fit(module, datamodule=data(teachers, batch_size=20))
