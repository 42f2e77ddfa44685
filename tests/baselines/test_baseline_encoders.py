"""Baselines that train nothing: the teachers' features, and the mean of their weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.runs import CLASSES, SIZE, Teachers, save_teachers

from crossx.baselines import AveragedWeights, ClassifierOnly
from crossx.core.errors import InputError
from crossx.encoding.losses import SupConLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.module import EncoderModule
from crossx.networks.build import build_network
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import save_teacher
from crossx.types import MODALITIES


def module(teachers: Teachers, kind: type[AveragedWeights] | type[ClassifierOnly]) -> EncoderModule:
    return EncoderModule(*teachers, kind, {"sup_con": EncodingTerm(SupConLoss())})


def test_classifier_only_is_the_features_baseline(teachers: Teachers) -> None:
    made, images = module(teachers, ClassifierOnly), torch.rand(5, 3, SIZE, SIZE)
    for modality in MODALITIES:
        features = made.teachers.of(modality)(images).features
        found = made.encode(images, modality)
        torch.testing.assert_close(found, torch.nn.functional.normalize(features, dim=1))
    assert made.photo_encoder.dim == found.shape[1]
    assert not made.state_dict()


def test_averaged_weights_are_half_way(teachers: Teachers) -> None:
    made, images = module(teachers, AveragedWeights), torch.rand(5, 3, SIZE, SIZE)
    made.train()
    photo, sketch = made.teachers.photo.network.state_dict(), made.teachers.sketch.network.state_dict()
    own = made.photo_encoder.get_submodule("network").state_dict()
    assert own
    for name, tensor in own.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, (photo[name] + sketch[name]) / 2)
    before = {name: tensor.clone() for name, tensor in own.items()}
    torch.testing.assert_close(made.encode(images, "photo"), made.encode(images, "sketch"))  # one normalisation here
    for name, tensor in made.photo_encoder.get_submodule("network").state_dict().items():
        assert torch.equal(tensor, before[name])  # running statistics stay
    assert not list(made.parameters_to_train())


def test_a_network_and_itself_give_the_network(tmp_path: Path) -> None:
    paths = save_teachers(tmp_path)
    card = TeacherPair(*paths).photo.card
    network = build_network(card.network, card.arguments, len(CLASSES))
    network.load_state_dict(TeacherPair(*paths).photo.network.state_dict())
    twin = str(tmp_path / "twin.safetensors")
    save_teacher(twin, network, replace(card, modality="sketch", name="twin"))
    same = Teachers(paths.photo, twin)
    images = torch.rand(5, 3, SIZE, SIZE)
    for modality in MODALITIES:
        averaged, plain = module(same, AveragedWeights), module(same, ClassifierOnly)
        torch.testing.assert_close(averaged.encode(images, modality), plain.encode(images, modality))


def test_networks_of_one_architecture_are_averaged(tmp_path: Path, teachers: Teachers) -> None:
    other = save_teachers(tmp_path, norm="group")
    with pytest.raises(
        InputError,
        match=r"^teachers: AveragedWeights needs .* one architecture, got SmallResNet\(.*\) and SmallResNet\(.*\)$",
    ):
        module(Teachers(teachers.photo, other.sketch), AveragedWeights)


@pytest.mark.parametrize("kind", [ClassifierOnly, AveragedWeights])
def test_there_is_nothing_to_fit(teachers: Teachers, kind: type[AveragedWeights] | type[ClassifierOnly]) -> None:
    with pytest.raises(
        InputError, match=r"^model: has no parameters to train, so there is nothing to fit; .* crossx validate"
    ):
        module(teachers, kind).optimizer_and_schedule(None)
