from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import yaml
from support.commands import joint_config, write
from support.runs import CLASSES, Teachers
from torch import Tensor, nn

from crossx.cli import main
from crossx.core.errors import InputError
from crossx.core.specs import class_name
from crossx.networks.base import Network
from crossx.networks.build import build_network
from crossx.teachers.card import TeacherCard
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import load_teacher, save_teacher
from crossx.types import MODALITIES, Modality

ARCHITECTURES = ["SmallResNet", "timm:mobilenetv3_small_050"]


def make_teacher(folder: Path, modality: Modality, network: str) -> str:
    arguments = {"widths": [4, 4]} if network == "SmallResNet" else {}
    card = TeacherCard(modality, network, CLASSES, 32, (0.5,) * 3, (0.5,) * 3, arguments, f"my-{modality}")
    path = folder / f"{modality}.safetensors"
    save_teacher(path, build_network(network, arguments, len(CLASSES)), card)
    return str(path)


@pytest.mark.parametrize("network", ARCHITECTURES)
def test_trained_teachers_of_any_architecture_cannot_be_swapped(tmp_path: Path, network: str) -> None:
    photo, sketch = (make_teacher(tmp_path, modality, network) for modality in MODALITIES)
    pair = TeacherPair(photo, sketch)
    assert (pair.photo.card.modality, pair.sketch.card.modality) == MODALITIES
    with pytest.raises(
        InputError, match=r"^teachers\.photo: must be a photo teacher, got 'my-sketch'.* sketch teacher"
    ):
        TeacherPair(sketch, photo)
    with pytest.raises(InputError, match=r"^teachers\.sketch: must be a sketch teacher, got 'my-photo'"):
        TeacherPair(photo, photo)


@pytest.mark.parametrize("network", [*ARCHITECTURES, "own"])
@pytest.mark.parametrize("form", ["safetensors", "yaml"])
def test_every_form_of_a_teacher_has_its_side(tmp_path: Path, network: str, form: str) -> None:
    network = class_name(SmallResNet) if network == "own" else network
    arguments = {"widths": [4, 4]} if network == "SmallResNet" else {}
    files = {}
    for modality in (*MODALITIES, "modality"):
        classes = ["photo", "sketch"] if modality == "modality" else list(CLASSES)
        values: dict[str, object] = {"modality": modality, "network": network, "classes": classes}
        values |= {"arguments": arguments, "input_size": 32, "mean": [0.5] * 3, "std": [0.5] * 3}
        values["name"] = f"my-{modality}"
        built = build_network(network, arguments, len(classes))
        files[modality] = str(tmp_path / f"{modality}.{form}")
        if form == "yaml":
            torch.save(built.state_dict(), tmp_path / f"{modality}.pt")
            Path(files[modality]).write_text(yaml.safe_dump({**values, "weights": f"{modality}.pt"}))
        else:
            save_teacher(files[modality], built, TeacherCard.from_mapping(values, "f"))
    assert TeacherPair(files["photo"], files["sketch"])
    for photo, sketch, side, found in (
        ("sketch", "sketch", "photo", "my-sketch"),
        ("photo", "photo", "sketch", "my-photo"),
        ("modality", "sketch", "photo", "my-modality"),
        ("photo", "modality", "sketch", "my-modality"),
    ):
        with pytest.raises(InputError, match=rf"^teachers\.{side}: must be a {side} teacher, got '{found}'"):
            TeacherPair(files[photo], files[sketch])


def test_swapped_teachers_are_refused_by_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, sketch = (make_teacher(tmp_path, modality, "timm:mobilenetv3_small_050") for modality in MODALITIES)
    content = joint_config(Teachers(sketch, photo), tmp_path / "runs")
    assert main(["fit", "--config", write(tmp_path / "c.yaml", content)]) == 2
    error = capsys.readouterr().err
    assert f"teachers.photo: must be a photo teacher, got 'my-sketch' of {sketch!r}, by its card a sketch" in error


def test_a_model_straight_from_timm_may_be_tried_on_sketches(monkeypatch: pytest.MonkeyPatch) -> None:
    create: Callable[..., nn.Module] = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: create(name, pretrained=False))  # noqa: ARG005
    pair = TeacherPair("timm:mobilenetv3_small_050", "timm:mobilenetv3_small_050")
    assert pair.sketch.card.modality == "photo"


class SmallResNet(Network):
    """The name of a network of crossx, another network."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_features, self.num_classes = 3, num_classes
        self.head = nn.Linear(3, num_classes)

    def pooled(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.head(features)
        return logits


def test_a_card_names_the_network_of_a_user_by_its_module(tmp_path: Path) -> None:
    ours = make_teacher(tmp_path, "photo", "SmallResNet")
    assert type(load_teacher(ours).network).__module__ == "crossx.networks.small_resnet"
    torch.manual_seed(0)
    card = TeacherCard("sketch", class_name(SmallResNet), CLASSES, 8, (0.0,) * 3, (1.0,) * 3)
    save_teacher(tmp_path / "own.safetensors", SmallResNet(len(CLASSES)), card)
    assert type(load_teacher(tmp_path / "own.safetensors").network) is SmallResNet
