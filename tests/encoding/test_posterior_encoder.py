"""Posteriors as embeddings, alone and beside a head."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from support.runs import MODALITIES, SGD, SIZE, Teachers, encoder
from torch import Tensor

from crossx.core.errors import InputError
from crossx.encoding.critics import LastLayerCritic
from crossx.encoding.encoders import CompositeEncoder, PosteriorEncoder, TeacherHeadEncoder
from crossx.encoding.encoders.composite import Part
from crossx.encoding.encoders.posterior import posterior_vector
from crossx.encoding.losses import SupConLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.module import EncoderModule
from crossx.teachers.pair import TeacherPair
from crossx.types import Modality


@pytest.fixture
def pair(teachers: Teachers) -> TeacherPair:
    return TeacherPair(*teachers)


def images() -> Tensor:
    return torch.rand(6, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def composite(pair: TeacherPair, modality: Modality) -> CompositeEncoder:
    torch.manual_seed(0)
    made = encoder("composite")(pair, modality)
    assert isinstance(made, CompositeEncoder)
    return made


def test_posterior_vectors_of_both_modalities() -> None:
    photo, sketch = (torch.randn(n, 5, generator=torch.Generator().manual_seed(n)).mul(3).softmax(1) for n in (6, 7))
    sure = torch.eye(5)[:1]
    photos, sketches = posterior_vector(torch.cat([photo, sure]), "photo"), posterior_vector(sketch, "sketch")
    torch.testing.assert_close(sketches @ photos[:6].T, sketch @ photo.T)
    torch.testing.assert_close(photos.norm(dim=1), torch.ones(7))
    torch.testing.assert_close(posterior_vector(photo, "photo").norm(dim=1), torch.ones(6))
    certain = sure.clone().requires_grad_()
    posterior_vector(certain, "photo").sum().backward()  # type: ignore[no-untyped-call]
    assert certain.grad is not None
    assert certain.grad.isfinite().all()


def test_vectors_of_nearly_certain_posteriors_are_precise() -> None:
    logits = torch.tensor([[9.0, 0.0, 1.0, 0.5], [0.0, 1.0, 12.0, 0.5], [-12.0, 0.0, -11.0, -10.5]])
    exact = logits.double().softmax(1)
    rest = (1 - exact.square().sum(1)).clamp_min(1e-6).sqrt()
    torch.testing.assert_close(posterior_vector(logits.softmax(1), "photo")[:, 4], rest.float(), rtol=1e-6, atol=0)


def test_posterior_encoder_is_posterior_matching(pair: TeacherPair) -> None:
    made = {m: PosteriorEncoder(pair, m, t) for m, t in zip(MODALITIES, (2.0, 0.5), strict=True)}
    outputs = {m: pair.of(m)(images()) for m in MODALITIES}
    photo, sketch = (
        pair.vocabulary.union_posterior(outputs[m].logits, m, t) for m, t in zip(MODALITIES, (2.0, 0.5), strict=True)
    )
    torch.testing.assert_close(made["sketch"](images()) @ made["photo"](images(), outputs["photo"]).T, sketch @ photo.T)
    for one in made.values():
        assert one.dim == one(images()).shape[1] == len(pair.vocabulary) + 2
        assert one.trainable_dim == 0
        assert not one.state_dict()
        assert not [p for p in one.parameters() if p.requires_grad]


def test_posterior_has_no_gradient(pair: TeacherPair) -> None:
    x = images().requires_grad_()
    assert not PosteriorEncoder(pair, "photo")(x).requires_grad


def test_posterior_beside_a_head(pair: TeacherPair) -> None:
    """The cosine is the weighted mean of posterior matching and the heads' cosine; the head alone is saved."""
    made = {}
    parts = {
        "posterior": Part(partial(PosteriorEncoder, temperature=2.0), 0.7),
        "head": Part(partial(TeacherHeadEncoder, dim=4, hidden=0, posterior=False), 0.3),
    }
    for modality in MODALITIES:
        torch.manual_seed(0)
        made[modality] = CompositeEncoder(pair, modality, parts)
        assert made[modality].dim == made[modality](images()).shape[1] == 4 + len(pair.vocabulary) + 2
    outputs = {m: pair.of(m)(images()) for m in MODALITIES}
    posteriors = {m: pair.vocabulary.union_posterior(outputs[m].logits, m, 2) for m in MODALITIES}
    heads = {}
    for modality in MODALITIES:
        head = made[modality].encoders()["head"].get_submodule("head")
        heads[modality] = torch.nn.functional.normalize(head(outputs[modality].features), dim=1)
    expected = 0.7 * posteriors["sketch"] @ posteriors["photo"].T + 0.3 * heads["sketch"] @ heads["photo"].T
    found = made["sketch"](images()) @ made["photo"](images(), outputs["photo"]).T
    torch.testing.assert_close(found, expected)
    assert set(made["photo"].state_dict()) == {f"parts.head.head.{i}.{n}" for i in (0, 1) for n in ("weight", "bias")}


def test_objectives_get_the_head_alone(pair: TeacherPair) -> None:
    for modality in MODALITIES:
        made = composite(pair, modality)
        head = made.encoders()["head"](images())
        torch.testing.assert_close(made.embed_trainable(images(), None).unit, head)
        assert head.shape[1] == made.trainable_dim == 4


def test_gradient_reaches_the_head_and_not_the_posterior(pair: TeacherPair) -> None:
    made = composite(pair, "photo")
    x = images().requires_grad_()
    embedding = made(x)
    of_posterior, of_head = (
        torch.autograd.grad(embedding[:, part].sum(), x, retain_graph=True)[0].abs().max() for part in (0, -1)
    )
    assert of_posterior < 1e-5 * of_head  # what is left of it is the rounding of the last normalisation


def test_last_layers_read_the_part_that_trains(teachers: Teachers) -> None:
    parts = {"posterior": Part(PosteriorEncoder), "head": Part(partial(TeacherHeadEncoder, dim=8, hidden=0))}
    terms = {"sup_con": EncodingTerm(SupConLoss())}
    module = EncoderModule(
        *teachers, partial(CompositeEncoder, parts=parts), terms, critic=LastLayerCritic, optimizer=SGD
    )
    pairs = module.teachers(torch.rand(6, 3, SIZE, SIZE), torch.rand(6, 3, SIZE, SIZE))
    heads = []
    for own, view in ((module.photo_encoder, pairs.photo), (module.sketch_encoder, pairs.sketch)):
        assert isinstance(own, CompositeEncoder)
        heads.append(own.encoders()["head"].embed(view, None).vector)
    found = module.criticise(pairs)
    expected = module.critic(replace(module.embed(pairs), photo=heads[0], sketch=heads[1]))
    torch.testing.assert_close(found.hardness, expected.hardness)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_temperature_of_the_posterior(pair: TeacherPair, temperature: float) -> None:
    with pytest.raises(InputError, match=rf"^encoder\.temperature: must be above 0, got {temperature}$"):
        PosteriorEncoder(pair, "photo", temperature=temperature)
