"""The teachers' own retrieval, against scikit-learn on their outputs."""

import json
from collections.abc import Callable
from dataclasses import astuple
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.metrics import average_precision_score
from support.commands import edit, joint_config, run
from support.runs import CLASSES, SIZE, Teachers, data, joint, save_teachers, trainer
from torch.utils.data import DataLoader

from crossx.baselines import ClassifierOnly
from crossx.core.batches import stack
from crossx.data.shapes.dataset import ShapesDataset
from crossx.encoding.losses import SupConLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.module import EncoderModule
from crossx.networks.build import build_network
from crossx.pairs.datamodule import SyntheticPairsDataModule
from crossx.pixels.pen import Pen
from crossx.reports.run.baselines import TeacherBaselines
from crossx.teachers.card import TeacherCard
from crossx.teachers.teacher import load_teacher, save_teacher
from crossx.types import Modality, Split

Array = npt.NDArray[np.float64]
SPLITS: tuple[Split, Split] = ("validation", "test")


class Side:
    """A teacher's outputs on all images of a split, in float64, its classes in the data set's order."""

    def __init__(self, path: str, data: SyntheticPairsDataModule, modality: Modality, split: Split) -> None:
        images = data.images(split)[modality == "sketch"]
        teacher = load_teacher(path)
        with torch.no_grad():
            output = teacher(torch.stack([images[i].image for i in range(len(images))]))
        order = [teacher.card.classes.index(name) for name in CLASSES]
        self.logits: Array = output.logits[:, order].double().numpy()
        self.features: Array = output.features.double().numpy()
        self.labels = images.labels

    def posterior(self, temperature: float) -> Array:
        powers = np.exp(self.logits / temperature)
        result: Array = powers / powers.sum(1, keepdims=True)
        return result


def cosine(a: Array, b: Array) -> Array:
    result: Array = (a / np.linalg.norm(a, axis=1)[:, None]) @ (b / np.linalg.norm(b, axis=1)[:, None]).T
    return result


def sides(teachers: Teachers, data: SyntheticPairsDataModule, split: Split) -> tuple[Side, Side]:
    return Side(teachers.sketch, data, "sketch", split), Side(teachers.photo, data, "photo", split)


def dot(sketch: Side, photo: Side, of_photos: float, of_sketches: float) -> Array:
    result: Array = sketch.posterior(of_sketches) @ photo.posterior(of_photos).T
    return result


def bhattacharyya(sketch: Side, photo: Side, of_photos: float, of_sketches: float) -> Array:
    result: Array = np.sqrt(sketch.posterior(of_sketches)) @ np.sqrt(photo.posterior(of_photos)).T
    return result


def logit_cosine(sketch: Side, photo: Side, of_photos: float, of_sketches: float) -> Array:
    return cosine(sketch.logits / of_sketches, photo.logits / of_photos)


def map_all(scores: Array, sketch: Side, photo: Side) -> float:
    relevant = sketch.labels[:, None] == photo.labels
    return float(np.mean([average_precision_score(r, s) for r, s in zip(relevant, scores, strict=True)]))


def by_form(sketch: Side, photo: Side) -> dict[tuple[str, float, float], float]:
    """mAP of every form and both temperatures, in the order in which the first of equals wins."""
    found = {
        (form.__name__, p, s): map_all(form(sketch, photo, p, s), sketch, photo)
        for form in (dot, bhattacharyya)
        for p, s in product((0.5, 1.0, 2.0, 4.0), repeat=2)
    }
    return {**found, ("logit_cosine", 1.0, 1.0): map_all(logit_cosine(sketch, photo, 1.0, 1.0), sketch, photo)}


def shapes() -> SyntheticPairsDataModule:
    # The last batch of 7 is a short one.
    dataset = ShapesDataset(size=SIZE, train=1, validation=4, test=3)
    return SyntheticPairsDataModule(dataset, batch_size=4, batches_per_epoch=5, eval_batch_size=7)


def measure(verb: str, teachers: Teachers, data: SyntheticPairsDataModule, folder: Path) -> TeacherBaselines:
    baselines = TeacherBaselines()
    quiet = trainer(folder, callbacks=[baselines])
    getattr(quiet, verb)(joint(teachers), datamodule=data, verbose=False)
    return baselines


def test_equal_a_direct_computation(teachers: Teachers, tmp_path: Path) -> None:
    data = shapes()
    found = measure("validate", teachers, data, tmp_path)
    assert list(found.results) == ["validation"]
    sketch, photo = sides(teachers, data, "validation")
    forms = by_form(sketch, photo)
    best = max(forms, key=forms.__getitem__)
    assert found.choice is not None
    assert astuple(found.choice) == best
    results = found.results["validation"]
    assert set(results) == {"features", "posterior"}
    assert results["posterior"]["map_all"] == pytest.approx(forms[best], abs=1e-6)
    features = cosine(sketch.features, photo.features)
    assert results["features"]["map_all"] == pytest.approx(map_all(features, sketch, photo), abs=1e-6)
    first = photo.labels[features.argmax(1)] == sketch.labels
    assert results["features"]["acc_at_1"] == pytest.approx(first.mean())


def test_form_comes_from_validation_images_also_at_test(teachers: Teachers, tmp_path: Path) -> None:
    data = shapes()
    found = measure("test", teachers, data, tmp_path)
    validation, test = (by_form(*sides(teachers, data, split)) for split in SPLITS)
    best, best_at_test = (max(forms, key=forms.__getitem__) for forms in (validation, test))
    assert test[best] < test[best_at_test] - 1e-4, "choose data on which the choice matters"
    assert found.choice is not None
    assert astuple(found.choice) == best
    assert found.results["test"]["posterior"]["map_all"] == pytest.approx(test[best], abs=1e-6)
    assert found.results["validation"]["posterior"]["map_all"] == pytest.approx(validation[best], abs=1e-6)


def test_classes_are_matched_by_name(tmp_path: Path) -> None:
    """The sketch teacher has another order and a class more."""
    teachers = save_teachers(tmp_path, classes={"photo": CLASSES, "sketch": ("zebra", *reversed(CLASSES))})
    data = shapes()
    found = measure("validate", teachers, data, tmp_path)
    forms = by_form(*sides(teachers, data, "validation"))
    assert found.results["validation"]["posterior"]["map_all"] == pytest.approx(max(forms.values()), abs=1e-6)


def test_no_features_where_widths_differ(teachers: Teachers, tmp_path: Path) -> None:
    arguments = {"widths": [8, 16]}
    card = TeacherCard("sketch", "SmallResNet", CLASSES, SIZE, (0.5,) * 3, (0.5,) * 3, arguments)
    save_teacher(tmp_path / "wide.safetensors", build_network("SmallResNet", arguments, len(CLASSES)), card)
    wide = Teachers(teachers.photo, str(tmp_path / "wide.safetensors"))
    found = measure("validate", wide, shapes(), tmp_path)
    assert set(found.results["validation"]) == {"posterior"}


def test_are_computed_once_and_not_in_a_sanity_check(teachers: Teachers, tmp_path: Path) -> None:
    seen: list[object] = []

    class Watch(TeacherBaselines):
        def on_validation_epoch_end(self, *args: object) -> None:
            super().on_validation_epoch_end(*args)  # type: ignore[arg-type]
            seen.append(self.results.get("validation"))

    quiet = trainer(tmp_path, max_steps=10, callbacks=[Watch()], num_sanity_val_steps=-1)
    quiet.fit(joint(teachers), datamodule=data(teachers, evaluated=True))
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[1] is seen[2]


def test_everything_is_measured_in_float32(teachers: Teachers, tmp_path: Path) -> None:
    """The same weights give the same figures, whatever the precision of the training."""
    dataset = ShapesDataset(size=SIZE, train=1, validation=24, test=1)
    data = SyntheticPairsDataModule(dataset, batch_size=4, batches_per_epoch=5, eval_batch_size=7)
    found: dict[str, list[float]] = {}
    for precision in ("32-true", "bf16-mixed"):
        baselines = TeacherBaselines()
        quiet = trainer(tmp_path, callbacks=[baselines], precision=precision)
        encoders = EncoderModule(*teachers, ClassifierOnly, {"term": EncodingTerm(SupConLoss())})
        quiet.validate(encoders, datamodule=data, verbose=False)
        results = baselines.results["validation"]
        measured = float(quiet.callback_metrics["val/map_all"])
        # Features as encoders and as a baseline are the same figures.
        assert results["features"]["map_all"] == pytest.approx(measured, abs=1e-7)
        found[precision] = [measured, results["features"]["map_all"], results["posterior"]["map_all"]]
    assert found["32-true"] == found["bf16-mixed"]


def test_a_mixed_precision_run_is_measured_as_its_weights_are_in_float32(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path / "fit")
    edit(content, "trainer.precision", "bf16-mixed")
    run("fit", tmp_path / "c.yaml", content)
    fitted = tmp_path / "fit/run/version_0"
    words = ["--ckpt_path", str(fitted / "checkpoints/last.ckpt"), "--trainer.precision", "32-true"]
    words += ["--trainer.logger.init_args.save_dir", str(tmp_path / "again")]
    run("validate", tmp_path / "d.yaml", joint_config(teachers, tmp_path / "again"), *words)
    first, second = (
        json.loads((folder / "results.json").read_text()) for folder in (fitted, tmp_path / "again/run/version_0")
    )
    for name in ("metrics", "baselines"):
        assert first[name] == second[name]
    assert set(first["baselines"]) == {"features", "posterior"}


def measured_by_one(verbs: str, teachers: Teachers, folder: Path, *images: SyntheticPairsDataModule) -> list[float]:
    """Posterior matching by one report and one trainer, in one measurement after another."""
    baselines = TeacherBaselines()
    quiet = trainer(folder, callbacks=[baselines])
    module, found = joint(teachers), []
    for verb, one in zip(verbs.split(), images, strict=True):
        getattr(quiet, verb)(module, datamodule=one, verbose=False)
        split: Split = "test" if verb == "test" else "validation"
        found.append(baselines.results[split]["posterior"]["map_all"])
    return found


def variants() -> list[Callable[[], SyntheticPairsDataModule]]:
    """Data modules with as many images: another seed, another pen, another size."""
    counts: Any = {"train": 1, "validation": 4, "test": 3}
    arguments: Any = {"batch_size": 4, "batches_per_epoch": 5, "eval_batch_size": 7}
    return [
        lambda: SyntheticPairsDataModule(ShapesDataset(size=SIZE, **counts), **arguments),
        lambda: SyntheticPairsDataModule(ShapesDataset(size=SIZE, seed=1, **counts), **arguments),
        lambda: SyntheticPairsDataModule(ShapesDataset(size=SIZE, **counts), pen=Pen(white_on_black=True), **arguments),
        lambda: SyntheticPairsDataModule(ShapesDataset(size=2 * SIZE, **counts), **arguments),
    ]


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_are_those_of_the_images_that_are_measured(teachers: Teachers, tmp_path: Path, verb: str) -> None:
    alone = [measured_by_one(verb, teachers, tmp_path, make())[0] for make in variants()]
    assert len(set(alone)) == len(alone), "choose data that differ"
    modules = [make() for make in variants()]
    verbs = " ".join([verb] * 5)
    assert measured_by_one(verbs, teachers, tmp_path, *modules, modules[0]) == [*alone, alone[0]]


def test_form_is_chosen_on_the_data_that_are_tested(teachers: Teachers, tmp_path: Path) -> None:
    first, second = variants()[:2]
    [alone] = measured_by_one("test", teachers, tmp_path, second())
    assert measured_by_one("validate test", teachers, tmp_path, first(), second())[1] == alone
    assert measured_by_one("test test", teachers, tmp_path, first(), second())[1] == alone


def test_validation_images_are_read_once_for_one_data_module(teachers: Teachers, tmp_path: Path) -> None:
    """A validation after a fit, and a test after a validation, choose nothing anew."""
    baselines = TeacherBaselines()
    quiet = trainer(tmp_path, callbacks=[baselines])
    module, data = joint(teachers), shapes()
    quiet.validate(module, datamodule=data, verbose=False)
    first = baselines.results["validation"]
    quiet.validate(module, datamodule=data, verbose=False)
    quiet.test(module, datamodule=data, verbose=False)
    assert baselines.results["validation"] is first


def test_plain_loaders_of_other_images_are_other_images(teachers: Teachers, tmp_path: Path) -> None:
    baselines = TeacherBaselines()
    quiet = trainer(tmp_path, callbacks=[baselines])
    module, found = joint(teachers), []
    for make in variants()[:2]:
        lists = make().images("validation")
        loaders = [DataLoader(images, 7, collate_fn=stack) for images in lists]
        quiet.validate(module, loaders, verbose=False)
        found.append(baselines.results["validation"]["posterior"])
    assert found[0] != found[1]
    quiet.test(module, loaders, verbose=False)
    assert "test" not in baselines.results


def test_a_fit_is_measured_on_its_own_images(teachers: Teachers, tmp_path: Path) -> None:
    """Lightning shows the loaders of an earlier fit while other images are validated."""
    first, second = (make() for make in variants()[:2])
    [alone] = measured_by_one("validate", teachers, tmp_path, second)
    baselines = TeacherBaselines()
    quiet = trainer(tmp_path, 5, callbacks=[baselines])
    module = joint(teachers)
    quiet.fit(module, datamodule=first)
    quiet.validate(module, datamodule=second, verbose=False)
    assert baselines.results["validation"]["posterior"]["map_all"] == alone
