"""Several encoders side by side in one embedding."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support.runs import CLASSES, SGD, SIZE, Teachers, encoding
from torch import Tensor

from crossx.core.errors import InputError
from crossx.encoding.embeddings import EmbeddingSpace
from crossx.encoding.encoders import (
    CompositeEncoder,
    Encoder,
    EncoderFactory,
    PosteriorEncoder,
    ReadingEncoder,
    StudentEncoder,
    TeacherEncoder,
    TeacherHeadEncoder,
)
from crossx.encoding.encoders.composite import Part
from crossx.encoding.losses import SupConLoss
from crossx.encoding.losses.base import EncodingLoss, EncodingTerm
from crossx.encoding.module import EncoderModule
from crossx.networks.small_resnet import SmallResNet
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES, Modality

HEAD = partial(TeacherHeadEncoder, dim=4, hidden=0)
WEIGHTS = {"posterior": 1.0, "head": 0.5, "soft": 2.0, "reading": 0.5}


@pytest.fixture
def pair(teachers: Teachers) -> TeacherPair:
    return TeacherPair(*teachers)


def images(count: int = 6, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def parts(changes: Mapping[str, float]) -> dict[str, Part]:
    """Four parts, with other weights where some are named."""
    factories: dict[str, EncoderFactory] = {
        "posterior": PosteriorEncoder,
        "head": HEAD,
        "soft": partial(PosteriorEncoder, temperature=4.0),
        "reading": ReadingEncoder,
    }
    return {name: Part(factories[name], weight) for name, weight in {**WEIGHTS, **changes}.items()}


def built(
    pair: TeacherPair,
    modality: Modality = "photo",
    mirrored: bool = False,
    changes: Mapping[str, float] | None = None,
) -> CompositeEncoder:
    torch.manual_seed(0)
    made = CompositeEncoder(pair, modality, parts(changes or {}), mirrored)
    made.observe(images(8, seed=9), None)
    return made


@pytest.mark.parametrize("changes", [{}, {"posterior": 0.0, "reading": 5.0}])
def test_the_cosine_is_the_weighted_mean_of_the_cosines(pair: TeacherPair, changes: dict[str, float]) -> None:
    """Also where sketches have other weights than photos, which have been embedded before."""
    photo, sketch = built(pair, "photo"), built(pair, "sketch", changes=changes)
    v = {**WEIGHTS, **changes}
    expected = torch.zeros(5, 6)
    for name, part in photo.encoders().items():
        cosine = sketch.encoders()[name](images(5, seed=1)) @ part(images()).T
        expected += (WEIGHTS[name] / sum(WEIGHTS.values()) * v[name] / sum(v.values())) ** 0.5 * cosine
    found = sketch(images(5, seed=1)) @ photo(images()).T
    torch.testing.assert_close(found, expected)
    if not changes:
        assert sum(photo.weights.values()) == pytest.approx(1)
        assert photo.weights == sketch.weights


def test_only_ratios_of_weights_count(pair: TeacherPair) -> None:
    one, other = built(pair), built(pair, changes={name: 10 * weight for name, weight in WEIGHTS.items()})
    torch.testing.assert_close(one(images()), other(images()))


def test_parts_stand_in_their_order(pair: TeacherPair) -> None:
    made = built(pair)
    vectors = [made.weights[name] ** 0.5 * part(images()) for name, part in made.encoders().items()]
    torch.testing.assert_close(made(images()), torch.cat(vectors, dim=1))
    assert list(made.encoders()) == list(WEIGHTS)
    assert made.dim == made(images()).shape[1] == sum(part.dim for part in made.encoders().values())


def test_a_part_without_weight_does_not_count(pair: TeacherPair) -> None:
    made = built(pair, changes={"head": 0.0})
    before = made(images())
    torch.nn.init.normal_(made.get_parameter("parts.head.head.1.weight"))
    assert torch.equal(made(images()), before)
    assert made.dim == built(pair).dim  # as long as ever


@pytest.mark.parametrize("modality", MODALITIES)
def test_an_image_and_its_mirror_image_have_one_embedding(pair: TeacherPair, modality: Modality) -> None:
    made, plain = built(pair, modality, mirrored=True), built(pair, modality)
    found, other = made(images()), made(images().flip(-1))
    torch.testing.assert_close(found, other)
    both = plain(images()), plain(images().flip(-1))
    assert not torch.allclose(*both, atol=1e-3)
    units = {n: F.normalize(e(images()) + e(images().flip(-1)), dim=1) for n, e in plain.encoders().items()}
    torch.testing.assert_close(found, torch.cat([plain.weights[n] ** 0.5 * unit for n, unit in units.items()], dim=1))
    torch.testing.assert_close(made(images(), pair.of(modality)(images())), found)


def test_training_takes_images_as_they_are(pair: TeacherPair) -> None:
    made = built(pair, mirrored=True)
    found = made.embed_trainable(images(), None).unit
    torch.testing.assert_close(found, made.encoders()["head"](images()))
    torch.testing.assert_close(found, built(pair).embed_trainable(images(), pair.photo(images())).unit)


def test_the_teacher_runs_once_for_all_parts(pair: TeacherPair) -> None:
    forwards: list[int] = []  # images of each pass
    made, known = built(pair), pair.photo(images())
    mirrored = built(pair, mirrored=True)
    size = len(images())
    with pair.photo.register_forward_pre_hook(lambda _, inputs: forwards.append(len(inputs[0]))):
        for encoder, output, passes in (
            (made, None, [size]),
            (made, known, []),
            (mirrored, None, [2 * size]),
            (mirrored, known, [size]),
        ):
            forwards.clear()
            encoder(images(), output)
            assert forwards == passes


class Seen(EncodingLoss):
    """Keeps what it is given.

    Args:
        space: The space of the embeddings.
    """

    def __init__(self, space: EmbeddingSpace) -> None:
        super().__init__()
        self.space = space

    def forward(self, embeddings: Any) -> Tensor:  # noqa: ANN401
        self.embeddings = embeddings
        loss: Tensor = (embeddings.photo * embeddings.sketch).sum()
        return loss


def module(teachers: Teachers, factory: EncoderFactory, sketch: EncoderFactory | None = None) -> EncoderModule:
    return EncoderModule(*teachers, factory, {"seen": EncodingTerm(Seen)}, sketch, optimizer=SGD)


def test_the_part_that_trains_gets_the_objective_alone(teachers: Teachers) -> None:
    made = module(teachers, partial(CompositeEncoder, parts=parts({})))
    encoders = (made.photo_encoder, made.sketch_encoder)
    pairs = made.teachers(images(), images(seed=1))
    x = made.embed(pairs)
    loss = made.objective.loss("seen")
    assert isinstance(loss, Seen)
    assert loss.space.dim == 4
    made.objective_of(x, None)  # type: ignore[arg-type]
    for encoder, view, found in zip(encoders, (pairs.photo, pairs.sketch), (x.photo, x.sketch), strict=True):
        assert isinstance(encoder, CompositeEncoder)
        assert encoder.trainable_dim == 4
        assert encoder.least_cosine == -1
        torch.testing.assert_close(found, encoder.encoders()["head"](view))
        names = {name for name, p in encoder.named_parameters() if p.requires_grad}
        assert names
        assert all(name.startswith("parts.head.head.") for name in names)
    assert x.least_cosine == -1


def test_a_part_brings_what_objectives_must_know(teachers: Teachers) -> None:
    """Predicted features, the smallest cosine and a rate of its own."""
    network = partial(SmallResNet, widths=(8, 8), norm="group")
    student = {"posterior": Part(PosteriorEncoder), "student": Part(partial(StudentEncoder, network=network))}
    made = module(teachers, partial(CompositeEncoder, parts=student))
    assert made.photo_encoder.predicts_features
    assert made.photo_encoder.least_cosine == 0
    pairs = made.teachers(images(), images(seed=1))
    x = made.embed(pairs)
    assert x.least_cosine == 0
    assert len(x.features) == 2
    assert made.photo_encoder.trainable_dim == len(CLASSES) + 2
    tuned = {"posterior": Part(PosteriorEncoder), "tuned": Part(partial(TeacherEncoder, dim=4, network_rate=0.1))}
    encoder = CompositeEncoder(made.teachers, "photo", tuned)
    ((network_of, rate),) = encoder.relative_rates()
    assert network_of is encoder.encoders()["tuned"].get_submodule("network")
    assert rate == 0.1
    assert not encoder.predicts_features


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"a": Part(HEAD), "b": Part(HEAD)}, r"^encoder\.parts: must have at most one part that trains, got a, b$"),
        (
            {"a": Part(HEAD, 0.0), "b": Part(PosteriorEncoder, 0.0)},
            r"^encoder\.parts: must have a part with a weight above 0, got none$",
        ),
        ({}, r"^encoder\.parts: must have a part with a weight above 0, got none$"),
        ({"a": Part(HEAD, -1.0)}, r"^encoder\.parts\.a\.weight: must be at least 0, got -1\.0$"),
        ({"a": Part(HEAD, float("inf"))}, r"^encoder\.parts\.a\.weight: must be at least 0 and finite, got inf$"),
        ({"a": Part(HEAD, float("nan"))}, r"^encoder\.parts\.a\.weight: must be at least 0, got nan$"),
        (
            {"a": Part(SmallResNet)},  # type: ignore[arg-type]  # the mistake
            r"^encoder\.parts\.a\.encoder: must build an instance of Encoder, got SmallResNet",
        ),
        ({"a": Part(partial(TeacherHeadEncoder, dim=0))}, r"^encoder\.dim: must be at least 1, got 0$"),
        ({"a.b": Part(HEAD)}, r"^encoder\.parts: a name of \['a\.b'\] cannot be used: module name can't contain"),
        ({"keys": Part(HEAD)}, r"^encoder\.parts: a name of \['keys'\] cannot be used: attribute 'keys' already"),
    ],
)
def test_mistakes_are_named(pair: TeacherPair, wrong: dict[str, Part], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CompositeEncoder(pair, "photo", wrong)


def test_partners_have_the_same_parts(teachers: Teachers) -> None:
    def partner(**own: EncoderFactory) -> EncoderFactory:
        return partial(CompositeEncoder, parts={name: Part(factory) for name, factory in own.items()})

    mine = partner(head=HEAD, posterior=PosteriorEncoder)
    both = r"^encoder, sketch_encoder: must be two CompositeEncoders with the parts head, posterior, got {}$"
    longer = partial(TeacherHeadEncoder, dim=5)
    cases: list[tuple[EncoderFactory, str]] = [
        (partner(head=HEAD, reading=ReadingEncoder), both.format("head, reading")),
        (partner(posterior=PosteriorEncoder, head=HEAD), both.format("posterior, head")),
        (HEAD, both.format("a TeacherHeadEncoder")),
        (
            partner(head=longer, posterior=PosteriorEncoder),
            r"one space, got TeacherHeadEncoder and TeacherHeadEncoder with embeddings of length 4 and 5",
        ),
        (partner(head=HEAD, posterior=ReadingEncoder), r"must be two PosteriorEncoders, got a ReadingEncoder$"),
    ]
    for sketch, message in cases:
        with pytest.raises(InputError, match=message):
            module(teachers, mine, sketch)
    module(teachers, mine, mine)
    as_long = partial(TeacherHeadEncoder, dim=4 + len(CLASSES) + 2)
    with pytest.raises(InputError, match=both.format("a TeacherHeadEncoder")):
        module(teachers, as_long, mine)


def test_without_a_part_that_trains_nothing_can_be_fitted(teachers: Teachers) -> None:
    """But everything can be measured."""
    fixed = partial(CompositeEncoder, parts={"posterior": Part(PosteriorEncoder), "reading": Part(ReadingEncoder)})
    made = EncoderModule(*teachers, fixed, {"sup_con": EncodingTerm(SupConLoss())}, optimizer=SGD)
    assert made.photo_encoder.trainable_dim == 0
    assert made.encode(images(), "sketch").shape == (6, made.sketch_encoder.dim)
    with pytest.raises(InputError, match=r"^model: has no parameters to train, so there is nothing to fit; "):
        made.optimizer_and_schedule(None)
    with pytest.raises(InputError, match=r"^encoder\.parts: must have a part that trains, such as TeacherHeadEncoder$"):
        made.embed(made.teachers(images(), images()))


def test_composites_can_be_nested(pair: TeacherPair) -> None:
    def inner(modality: Modality) -> Encoder:
        return CompositeEncoder(pair, modality, {"posterior": Part(PosteriorEncoder, 0.5), "head": Part(HEAD, 0.5)})

    known = Part(lambda teachers, modality: inner(modality))  # noqa: ARG005
    nested = {m: CompositeEncoder(pair, m, {"known": known, "r": Part(ReadingEncoder)}) for m in MODALITIES}
    assert nested["photo"].trainable_dim == 4
    nested["photo"].check_partner(nested["sketch"])
    torch.testing.assert_close(nested["photo"](images()).norm(dim=1), torch.ones(6))


def test_the_kind_of_other_tests_is_one(teachers: Teachers) -> None:
    assert isinstance(encoding(teachers, kind="composite").photo_encoder, CompositeEncoder)
