"""Cards of networks that are not square, not of three channels, of timm, or somebody's own."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import yaml
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.core.specs import class_name
from crossx.encoding.encoders import NetworkEncoder, StudentEncoder, TeacherEncoder
from crossx.networks.base import Network
from crossx.networks.build import build_network
from crossx.networks.preprocessing import InputFormat
from crossx.networks.small_resnet import SmallResNet
from crossx.networks.timm_network import TimmNetwork, timm_format
from crossx.reconstruction.statistics import batch_norm_channels
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import FrozenTeacher, load_teacher, read_card

COLOURS = {"mean": [0.5] * 3, "std": [0.25] * 3}
SQUARE = {"modality": "photo", "classes": ["a", "b"], "input_size": 8, "weights": "w.pt", **COLOURS}
GREY = {"mean": 0.5, "std": [0.25]}


def card_file(folder: Path, network: str, **values: Any) -> Path:  # noqa: ANN401 - any field of a card
    """A card with weights; `built` says what the weights are of, where it is not the card's network."""
    arguments = values.setdefault("arguments", {})
    built = build_network(network, values.pop("built", arguments), 2)
    torch.save(built.state_dict(), folder / "w.pt")
    content = {"modality": "photo", "network": network, "classes": ["a", "b"], "weights": "w.pt", **values}
    path = folder / f"{values.get('modality', 'photo')}.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path


def load(folder: Path, network: str, **values: Any) -> FrozenTeacher:  # noqa: ANN401 - as above
    return load_teacher(card_file(folder, network, **values))


def test_one_grey_channel(tmp_path: Path) -> None:
    teacher = load(tmp_path, "timm:resnet18", arguments={"in_chans": 1}, input_size=32, **GREY)
    x = torch.rand(2, 3, 32, 32)
    grey = (x.mean(1, keepdim=True) - 0.5) / 0.25
    torch.testing.assert_close(teacher(x).logits, teacher.network(grey))
    assert batch_norm_channels(teacher) > 0


@pytest.mark.parametrize(
    ("arguments", "colours", "message"),
    [
        ({"in_chans": 1}, COLOURS, r"must have one number \(one grey channel\) for timm:resnet18 .*got three numbers"),
        ({}, GREY, r"must have three numbers \(three channels\) for timm:resnet18 .*got one number"),
    ],
)
def test_the_numbers_must_be_as_many_as_the_channels(
    tmp_path: Path, arguments: dict[str, Any], colours: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=rf"photo\.yaml: card: mean, std: {message}"):
        load(tmp_path, "timm:resnet18", arguments=arguments, input_size=32, **colours)


def test_grey_weights_on_a_card_of_three_channels_get_a_hint(tmp_path: Path) -> None:
    path = card_file(tmp_path, "timm:resnet18", built={"in_chans": 1}, input_size=32, **COLOURS)
    with pytest.raises(InputError, match=r"w\.pt: tensor model\.conv1\.weight: .*one grey channel.*in_chans: 1"):
        load_teacher(path)


def test_height_and_width(tmp_path: Path) -> None:
    arguments = {"img_size": [32, 48], "depth": 1}
    teacher = load(tmp_path, "timm:vit_tiny_patch16_224", arguments=arguments, input_size=[32, 48], **COLOURS)
    assert teacher(torch.rand(2, 3, 20, 20)).logits.shape == (2, 2)
    with pytest.raises(InputError, match=r"input_size: must be a size that timm:vit.* got \(48, 32\)"):
        load(tmp_path, "timm:vit_tiny_patch16_224", arguments=arguments, input_size=[48, 32], **COLOURS)


def test_crop_and_interpolation_of_a_card_are_those_of_the_teacher(tmp_path: Path) -> None:
    same = {"input_size": 16, "arguments": {"widths": [4]}, **COLOURS}
    torch.manual_seed(0)
    plain = load(tmp_path, "SmallResNet", **same)
    torch.manual_seed(0)
    other = load(tmp_path, "SmallResNet", interpolation="bicubic", crop=0.8, **same)
    assert other.preprocessing.crop == 0.8
    assert other.hash != plain.hash
    x = torch.rand(2, 3, 16, 16)
    assert not torch.allclose(plain(x).logits, other(x).logits)


def test_a_card_of_timm_takes_timm_s_preprocessing_where_it_names_none(tmp_path: Path) -> None:
    name = "vit_tiny_patch16_224"
    values: dict[str, Any] = {"arguments": {"img_size": 32, "depth": 1}}
    card = read_card(card_file(tmp_path, f"timm:{name}", **values))
    assert (
        card.input_format
        == timm_format(name, {"img_size": 32})
        == InputFormat(32, (0.5,) * 3, (0.5,) * 3, "bicubic", 0.9)
    )
    sized = read_card(card_file(tmp_path, "timm:resnet18", input_size=64))
    assert sized.input_format == timm_format("resnet18", {})._replace(size=64)
    own = read_card(card_file(tmp_path, "timm:resnet18", mean=[0.5] * 3))
    assert (own.mean, own.std, own.crop) == ((0.5,) * 3, timm_format("resnet18", {}).std, 1.0)
    grey = load(tmp_path, "timm:resnet18", arguments={"in_chans": 1}, input_size=32)
    assert grey.card.mean == pytest.approx((0.449,))
    path = card_file(tmp_path, "timm:resnet18")
    path.write_text(path.read_text().replace("resnet18", "resnet81"))
    with pytest.raises(InputError, match=r"network: timm knows no model 'resnet81' \(did you mean 'resnet18'\?\)"):
        read_card(path)
    for name in ("resnet18", "resnet18.a1_in1k"):
        path.write_text(yaml.safe_dump({**SQUARE, "network": name}))
        with pytest.raises(InputError, match=rf"photo\.yaml: .* \(did you mean 'timm:{name}'\?\)$"):
            load_teacher(path)
    with pytest.raises(InputError, match=r"lacks \['input_size', 'mean', 'std'\]"):
        read_card(card_file(tmp_path, "SmallResNet"))


def test_a_model_straight_from_timm_has_its_preprocessing() -> None:
    assert read_card("timm:resnet18").input_format == timm_format("resnet18", {})


class Own(Network):
    """Somebody's network, with what can be wrong about it."""

    def __init__(self, num_classes: int, wrong: str = "") -> None:
        super().__init__()
        if wrong == "constructor":
            raise KeyError("wrong")
        self.num_classes = num_classes
        if wrong != "attribute":
            self.num_features = 3
        self.wrong = wrong
        self.head = nn.Linear(3, num_classes)

    def pooled(self, x: Tensor) -> Tensor:
        return x if self.wrong == "features" else x.mean((2, 3))

    def classify(self, features: Tensor) -> Tensor:
        if self.wrong == "features":
            return self.head(features.mean((2, 3)))  # type: ignore[no-any-return]
        return features if self.wrong == "logits" else self.head(features)


def test_a_network_of_somebody_works(tmp_path: Path) -> None:
    teacher = load(tmp_path, class_name(Own), input_size=8, **COLOURS)
    assert teacher(torch.rand(2, 3, 9, 9)).logits.shape == (2, 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            "features",
            r"must give features \(2, 3\) and logits \(2, 2\) for two images, got \(2, 3, 8, 8\) and \(2, 2\)",
        ),
        ("logits", r"must give features \(2, 3\) and logits \(2, 2\) for two images, got \(2, 3\) and \(2, 3\)"),
        ("constructor", "the arguments {'wrong': 'constructor'} do not fit"),
        ("attribute", r"card: network: .*Own must have the attributes num_features and num_classes"),
    ],
)
def test_a_network_that_breaks_its_contract_is_one_line(tmp_path: Path, wrong: str, message: str) -> None:
    path = card_file(tmp_path, class_name(Own), arguments={"wrong": wrong}, built={}, input_size=8, **COLOURS)
    with pytest.raises(InputError, match=message) as error:
        load_teacher(path)
    assert "\n" not in str(error.value)


@pytest.fixture
def grey_pair(tmp_path: Path) -> TeacherPair:
    values: dict[str, Any] = {"arguments": {"in_chans": 1}, "input_size": 32, **GREY}
    photo = card_file(tmp_path, "timm:resnet18", **values)
    (tmp_path / "sketches").mkdir()
    return TeacherPair(str(photo), str(card_file(tmp_path / "sketches", "timm:resnet18", modality="sketch", **values)))


def test_encoders_beside_a_grey_teacher(grey_pair: TeacherPair) -> None:
    x = torch.rand(2, 3, 32, 32)
    for encoder in (
        TeacherEncoder(grey_pair, "sketch", dim=4),
        NetworkEncoder(grey_pair, "sketch", lambda: SmallResNet(0, (4,)), dim=4),
        StudentEncoder(grey_pair, "sketch", lambda: SmallResNet(0, (4,))),
    ):
        assert encoder(x).shape == (2, encoder.dim)


def test_an_encoder_with_pretrained_weights_takes_their_colours(
    grey_pair: TeacherPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained, **kw: create(name, **kw))  # noqa: ARG005

    def network() -> TimmNetwork:
        return TimmNetwork("vit_tiny_patch16_224", True, 0, {"img_size": 32, "depth": 1})

    usual = NetworkEncoder(grey_pair, "sketch", network).preprocessing
    assert usual.mean.tolist() == [0.5] * 3
    assert usual.std.tolist() == [0.5] * 3
    assert (usual.size, usual.interpolation, usual.crop) == (32, "bicubic", 1.0)
    named = NetworkEncoder(grey_pair, "sketch", network, mean=(0.1,) * 3, std=(0.2,) * 3).preprocessing
    torch.testing.assert_close(named.mean, torch.tensor([0.1] * 3))
    assert named.interpolation == "bilinear"
