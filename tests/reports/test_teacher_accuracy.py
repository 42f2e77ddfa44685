"""The teachers' accuracy on the images that a run is measured on, and the warning about a teacher at chance."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.commands import edit, joint_config, run
from support.processes import run_processes
from support.runs import CLASSES, SIZE, Teachers, joint, save_teachers, trainer
from torch import Tensor

from crossx.cotraining.module import CoTrainingModule
from crossx.data.base import RetrievalData
from crossx.data.shapes.dataset import ShapesDataset
from crossx.pairs.datamodule import SyntheticPairsDataModule
from crossx.reports.run.baselines import TeacherBaselines
from crossx.reports.run.report import RunReport
from crossx.teachers.teacher import FrozenTeacher, load_teacher
from crossx.types import MODALITIES, Modality, TeacherOutput

EMBEDDED = Teachers(*(f"crossx:assets/shapes_{modality}.safetensors" for modality in MODALITIES))


def direct(path: str, dataset: RetrievalData, modality: Modality, classes: tuple[str, ...] = CLASSES) -> float:
    """Accuracy of a teacher among some classes, by one forward over all images of them."""
    images, teacher = dataset.images(modality, "validation"), load_teacher(path)
    known = [i for i, label in enumerate(images.labels) if dataset.classes[label] in classes]
    with torch.no_grad():
        logits = teacher(torch.stack([images[i].image for i in known])).logits
    order = [teacher.card.classes.index(name) for name in classes]
    answers = [classes[i] for i in logits[:, order].argmax(1).tolist()]
    right: list[bool] = [
        answer == dataset.classes[int(images.labels[i])] for i, answer in zip(known, answers, strict=True)
    ]
    return sum(right) / len(right)


def shapes(size: int = SIZE, each: int = 4, **arguments: Any) -> SyntheticPairsDataModule:  # noqa: ANN401
    dataset = ShapesDataset(size=size, train=1, validation=each, test=2)
    return SyntheticPairsDataModule(dataset, batch_size=4, batches_per_epoch=5, eval_batch_size=7, **arguments)


def validated(teachers: Teachers, images: SyntheticPairsDataModule, folder: Path) -> dict[str, Any]:
    quiet = trainer(folder, 5, [TeacherBaselines(), RunReport()])
    quiet.validate(joint(teachers), datamodule=images, verbose=False)
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())["teacher_accuracy"]
    return found


def test_is_that_of_a_direct_computation(teachers: Teachers, tmp_path: Path) -> None:
    images = shapes()
    assert images.dataset is not None
    found = validated(teachers, images, tmp_path)
    assert list(found) == ["photo", "sketch"]
    for modality, path in zip(MODALITIES, teachers, strict=True):
        assert found[modality]["accuracy"] == pytest.approx(direct(path, images.dataset, modality))
        assert (found[modality]["images"], found[modality]["classes"]) == (40, 10)


def test_counts_the_classes_that_the_teacher_knows_in_any_order(tmp_path: Path) -> None:
    """The sketch teacher has other classes too, in another order, and lacks one; the photo teacher has all."""
    own = ("zebra", *reversed(CLASSES[1:]))
    lists: dict[Modality, tuple[str, ...]] = {"photo": CLASSES, "sketch": own}
    teachers = save_teachers(tmp_path, classes=lists)
    images = shapes(unknown_classes=True)
    assert images.dataset is not None
    found = validated(teachers, images, tmp_path)
    expected = direct(teachers.sketch, images.dataset, "sketch", CLASSES[1:])
    assert found["sketch"]["accuracy"] == pytest.approx(expected)
    assert (found["sketch"]["images"], found["sketch"]["classes"]) == (36, 9)
    assert found["photo"]["accuracy"] == pytest.approx(direct(teachers.photo, images.dataset, "photo"))


def test_aliases_count(tmp_path: Path) -> None:
    """A class that the teacher, the other teacher and the data set spell in different ways is one class."""
    renamed: dict[Modality, tuple[str, ...]] = {"photo": ("auto", *CLASSES[1:]), "sketch": CLASSES}
    teachers = save_teachers(tmp_path, classes=renamed)
    aliases = {CLASSES[0]: "auto"}
    quiet = trainer(tmp_path, 5, [TeacherBaselines(), RunReport()])
    module = joint(teachers)
    from support.runs import encoding, reconstruction

    module = CoTrainingModule(reconstruction(teachers, aliases=aliases), encoding(teachers, aliases=aliases))
    quiet.validate(module, datamodule=shapes(), verbose=False)
    found = json.loads((tmp_path / "results.json").read_text())["teacher_accuracy"]
    assert {m: a["classes"] for m, a in found.items()} == {"photo": 10, "sketch": 10}


def test_takes_no_second_forward(teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    forward = FrozenTeacher.forward

    def counted(self: FrozenTeacher, x: Tensor, statistics: bool = False) -> TeacherOutput:
        seen.append(len(x))
        return forward(self, x, statistics)

    monkeypatch.setattr(FrozenTeacher, "forward", counted)
    quiet = trainer(tmp_path, 5, [TeacherBaselines(), RunReport()])
    quiet.validate(joint(teachers), datamodule=shapes(), verbose=False)
    assert sum(seen) == 80, "40 photos and 40 sketches, each once; the encoders are networks of their own"


def accuracies(teachers: Teachers) -> dict[str, float]:
    os.environ.pop("WORLD_SIZE", None)  # the trainer is to run alone in the group that the processes are in already
    baselines = TeacherBaselines()
    quiet = trainer(Path(), 5, [baselines])
    quiet.validate(joint(teachers), datamodule=shapes(), verbose=False)
    return {m: a.accuracy + a.images for m, a in baselines.accuracy["validation"].items()}


def test_is_the_same_on_two_processes(teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = accuracies(teachers)
    assert run_processes(2, accuracies, teachers) == [expected] * 2


def reversed_copy(path: Path, modality: Modality) -> str:
    """The embedded teacher with its class list in the opposite order."""
    teacher = load_teacher(EMBEDDED[MODALITIES.index(modality)])
    torch.save(dict(teacher.network.state_dict()), path / f"{modality}.pt")
    card = teacher.card
    content = {
        "modality": modality,
        "network": "SmallResNet",
        "arguments": dict(card.arguments),
        "input_size": card.input_size,
        "mean": list(card.mean),
        "std": list(card.std),
        "classes": list(card.classes)[::-1],
        "weights": f"{modality}.pt",
    }
    (path / f"{modality}.yaml").write_text(yaml.safe_dump(content))
    return str(path / f"{modality}.yaml")


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("verb", ["validate", "test"])
def test_a_teacher_with_a_reversed_class_list_is_warned_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], modality: Modality, verb: str
) -> None:
    teachers = EMBEDDED._replace(**{modality: reversed_copy(tmp_path, modality)})
    content = joint_config(teachers, tmp_path)
    edit(
        content, "data.dataset", {"class_path": "ShapesDataset", "init_args": {"train": 1, "validation": 6, "test": 6}}
    )
    with pytest.warns(UserWarning, match="at chance") as record:
        run(verb, tmp_path / "c.yaml", content)
    messages = {str(w.message) for w in record if "at chance" in str(w.message)}
    assert all(m.startswith(f"teachers.{modality}: the {modality} teacher is at chance on the ") for m in messages)
    assert all("class list in another order" in m and "\n" not in m for m in messages)
    split = "validation" if verb == "validate" else "test"
    assert any(f"on the {split} images" in m for m in messages)
    found = json.loads((tmp_path / "run/version_0/results.json").read_text())["teacher_accuracy"]
    assert {m: a["at_chance"] for m, a in found.items()} == {m: m == modality for m in MODALITIES}
    assert f"{modality} {found[modality]['accuracy']:.3f} (at chance)" in capsys.readouterr().out


@pytest.mark.parametrize("limit", [1, 1.0])
def test_no_false_alarm_about_the_embedded_teachers(tmp_path: Path, limit: float) -> None:
    """Neither on the whole split nor on the images of the first classes alone."""
    dataset = ShapesDataset(train=1, validation=10, test=1)
    images = SyntheticPairsDataModule(dataset, batch_size=4, batches_per_epoch=5, eval_batch_size=20)
    baselines = TeacherBaselines()
    quiet = trainer(tmp_path, 5, [baselines], limit_val_batches=limit)
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        quiet.validate(joint(EMBEDDED), datamodule=images, verbose=False)
    assert not [w for w in record if "at chance" in str(w.message)]
    assert all(a.accuracy > 0.6 for a in baselines.accuracy["validation"].values())
