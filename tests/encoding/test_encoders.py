from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

import pytest
import torch
from support.runs import SIZE, Kind, Teachers, encoder
from torch import Tensor

from crossx.core.errors import InputError
from crossx.encoding.encoders import (
    EmbeddingHead,
    Encoder,
    NetworkEncoder,
    TeacherEncoder,
    TeacherHeadEncoder,
)
from crossx.networks.preprocessing import Preprocessing
from crossx.networks.small_resnet import SmallResNet
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import FrozenTeacher, load_teacher, save_teacher
from crossx.types import TeacherOutput

KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.fixture
def pair(teachers: Teachers) -> TeacherPair:
    return TeacherPair(*teachers)


@pytest.fixture
def teacher(pair: TeacherPair) -> FrozenTeacher:
    return pair.photo


def images(count: int = 6, size: int = SIZE) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def built(kind: Kind, pair: TeacherPair) -> Encoder:
    torch.manual_seed(0)
    return encoder(kind)(pair, "photo")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bfloat16", [False, True])
def test_unit_vectors_in_float32(pair: TeacherPair, kind: Kind, bfloat16: bool) -> None:
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        embedding = built(kind, pair)(images())
    classes = len(pair.vocabulary) + 2
    assert embedding.shape == (6, {"composite": 4 + classes, "student": classes}.get(kind, 4))
    assert embedding.dtype == torch.float32
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(6))
    assert embedding.std(0).max() > 1e-3  # images are told apart


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_any_size(pair: TeacherPair, kind: Kind) -> None:
    made = built(kind, pair).eval()
    flat = torch.tensor([0.1, 0.3, 0.8])[:, None, None, None]
    torch.testing.assert_close(made(flat.expand(3, 3, 40, 24)), made(flat.expand(3, 3, SIZE, SIZE)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_gets_a_gradient_and_the_teacher_none(
    pair: TeacherPair, teacher: FrozenTeacher, kind: Kind
) -> None:
    made = built(kind, pair)
    x = images().requires_grad_()
    made.embed_trainable(x, None).unit[:, 0].sum().backward()  # type: ignore[no-untyped-call]
    trained = {name: p for name, p in made.named_parameters() if p.requires_grad}
    assert trained
    assert not [name for name, p in trained.items() if p.grad is None or p.grad.abs().sum() == 0]
    assert all(p.grad is None for p in teacher.parameters())
    assert x.grad is not None  # for the critic
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("posterior", [False, True])
def test_head_takes_the_known_output_of_its_teacher(pair: TeacherPair, teacher: FrozenTeacher, posterior: bool) -> None:
    made = TeacherHeadEncoder(pair, "photo", dim=4, hidden=0, posterior=posterior)
    known = TeacherOutput(torch.rand(6, 10), torch.rand(6, teacher.network.num_features))
    inputs = known.features
    if posterior:  # each of the two with a mean of 0 and a variance of 1
        parts = [known.features, known.logits.softmax(1)]
        inputs = torch.cat(
            [(p - p.mean(1, True)) / (p.var(1, correction=0, keepdim=True) + 1e-5).sqrt() for p in parts], 1
        )
    calls: list[object] = []
    with teacher.register_forward_pre_hook(lambda *_: calls.append(1)):
        found = made(images(), known)
        assert not calls
        torch.testing.assert_close(found, torch.nn.functional.normalize(made.head(inputs)))
        unknown = made(images())
        assert len(calls) == 1
    assert not torch.allclose(found, unknown)
    torch.testing.assert_close(made(images(), teacher(images())), unknown)


@pytest.mark.parametrize("posterior", [False, True])
def test_head_sees_the_posterior_where_that_is_asked(
    pair: TeacherPair, teacher: FrozenTeacher, posterior: bool
) -> None:
    made = TeacherHeadEncoder(pair, "photo", dim=4, hidden=0, posterior=posterior)
    features, logits = torch.rand(6, teacher.network.num_features), torch.rand(2, 6, 10).mul(3)
    one, other = (made(images(), TeacherOutput(each, features)) for each in logits)
    assert torch.allclose(one, other, atol=1e-4) is not posterior


@pytest.mark.parametrize("kind", ["network", "teacher", "student"])
def test_other_encoders_do_not_use_the_known_output(pair: TeacherPair, teacher: FrozenTeacher, kind: Kind) -> None:
    made = built(kind, pair).eval()
    known = TeacherOutput(torch.zeros(6, 10), torch.zeros(6, teacher.network.num_features))
    calls: list[object] = []
    with teacher.register_forward_pre_hook(lambda *_: calls.append(1)):
        assert torch.equal(made(images(), known), made(images()))
    assert not calls


def test_teacher_encoder_starts_at_the_teacher_and_leaves_it_alone(pair: TeacherPair, teacher: FrozenTeacher) -> None:
    made = built("teacher", pair)
    assert isinstance(made, TeacherEncoder)
    made.eval()
    with torch.no_grad():
        features = made.network.pooled(made.preprocessing(images()))
        torch.testing.assert_close(features, teacher(images()).features)
        expected = torch.nn.functional.normalize(made.head(features))
        torch.testing.assert_close(made(images()), expected)
    before = teacher(images()).logits
    optimizer = torch.optim.SGD(made.parameters(), lr=0.5)
    for _ in range(2):
        loss = made.train()(images())[:, 0].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    made.eval()
    moved = made.network.pooled(made.preprocessing(images()))
    assert not torch.allclose(moved, features, atol=1e-3)
    assert teacher.fingerprint() == teacher.hash
    assert torch.equal(teacher(images()).logits, before)


def test_two_encoders_from_one_teacher_are_two(pair: TeacherPair) -> None:
    first, second = built("teacher", pair), built("teacher", pair)
    places = [{p.data_ptr() for p in made.state_dict().values()} for made in (first, second)]
    assert not places[0] & places[1]


def test_head_encoder_trains_and_saves_its_head_alone(pair: TeacherPair, teacher: FrozenTeacher) -> None:
    made = built("head", pair)
    names = {"head.0.weight", "head.0.bias", "head.1.weight", "head.1.bias"}
    assert {name for name, p in made.named_parameters() if p.requires_grad} == names
    assert set(made.state_dict()) == names
    made.train()
    assert not teacher.training


def test_scale_of_the_teacher_s_features_does_not_matter(pair: TeacherPair, teacher: FrozenTeacher) -> None:
    made = built("head", pair)
    features = torch.rand(6, teacher.network.num_features)
    outputs = [TeacherOutput(torch.zeros(6, 10), scale * features) for scale in (10, 1000)]
    torch.testing.assert_close(made(images(), outputs[0]), made(images(), outputs[1]), rtol=1e-3, atol=1e-4)


def test_hidden_layer() -> None:
    linear, deep = EmbeddingHead(6, 3, 0), EmbeddingHead(6, 3, 5)
    assert [tuple(p.shape) for p in linear.parameters()] == [(6,), (6,), (3, 6), (3,)]
    assert [tuple(p.shape) for p in deep.parameters()] == [(6,), (6,), (5, 6), (5,), (3, 5), (3,)]
    assert deep(torch.rand(2, 6)).shape == (2, 3)


def test_network_with_a_classifier_is_refused(pair: TeacherPair) -> None:
    with pytest.raises(InputError, match=r"^encoder\.network\.num_classes: must be 0, got 10; "):
        NetworkEncoder(pair, "photo", partial(SmallResNet, 10, (8, 8)))


def test_a_network_of_its_own_takes_images_as_its_teacher_does(teachers: Teachers, tmp_path: Path) -> None:
    """Size, mean and deviation are the teacher's unless others are named."""
    photo = load_teacher(teachers.photo)
    card = replace(photo.card, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), input_size=12)
    save_teacher(tmp_path / "photo.safetensors", photo.network, card)
    other = TeacherPair(str(tmp_path / "photo.safetensors"), teachers.sketch)
    network = partial(SmallResNet, widths=(8, 8))
    found = NetworkEncoder(other, "photo", network).preprocessing(images())
    torch.testing.assert_close(found, Preprocessing(12, card.mean, card.std)(images()))
    named = NetworkEncoder(other, "photo", network, 8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)).preprocessing(images())
    torch.testing.assert_close(named, Preprocessing(8, (0.0,) * 3, (1.0,) * 3)(images()))


@pytest.mark.parametrize(
    ("dim", "hidden", "message"),
    [
        (0, 0, r"^encoder\.dim: must be at least 1, got 0$"),
        (-2, 4, r"^encoder\.dim: must be at least 1, got -2$"),
        (4, -1, r"^encoder\.hidden: must be at least 0, got -1$"),
    ],
)
def test_numbers_out_of_range(pair: TeacherPair, dim: int, hidden: int, message: str) -> None:
    for kind in (TeacherHeadEncoder, TeacherEncoder):
        with pytest.raises(InputError, match=message):
            kind(pair, "photo", dim=dim, hidden=hidden)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_complete_after_its_constructor(pair: TeacherPair, kind: Kind) -> None:
    """Nothing is added to it by its first use."""
    made = built(kind, pair)
    before = [name for name, _ in made.named_modules()], set(made.state_dict())
    assert made.dim == made(images()).shape[1]
    assert ([name for name, _ in made.named_modules()], set(made.state_dict())) == before


@pytest.mark.parametrize("frozen", [False, True])
def test_teachers_statistics_stay_where_that_is_asked(pair: TeacherPair, frozen: bool) -> None:
    made = TeacherEncoder(pair, "photo", 4, 0, frozen_statistics=frozen)
    before = {name: value.clone() for name, value in made.network.named_buffers() if "running" in name}
    assert before
    made.train()(images())
    after = {name: value for name, value in made.network.named_buffers() if "running" in name}
    assert all(torch.equal(before[name], after[name]) for name in before) == frozen
    assert made.network.training  # everything but BatchNorm


@pytest.mark.parametrize("rate", [0.0, -1.0, 1.5])
def test_network_rate_is_a_share(pair: TeacherPair, rate: float) -> None:
    with pytest.raises(InputError, match=rf"^encoder\.network_rate: must be in \(0, 1\], got {rate}$"):
        TeacherEncoder(pair, "photo", 4, 0, network_rate=rate)
