"""Posteriors over the union of two class lists, where each teacher knows classes that the other does not."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from support.runs import CLASSES, SIZE, save_teachers
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.encoding.encoders import CompletedPosteriorEncoder, PosteriorEncoder
from crossx.networks.base import last_layer
from crossx.networks.build import build_network
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import save_teacher
from crossx.types import MODALITIES, Modality

PHOTO, SKETCH = CLASSES[:7], CLASSES[3:]
COMMON = CLASSES[3:7]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TeacherPair:
    """Teachers that share four classes, each with three that the other does not know."""
    folder: Path = tmp_path_factory.mktemp("overlap")
    return TeacherPair(*save_teachers(folder, classes={"photo": PHOTO, "sketch": SKETCH}))


def images(count: int = 6) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def built(
    pair: TeacherPair,
    prior_logit: float = 1.0,
    similarity_weight: float = 2.0,
    reading_weight: float = 0.0,
    modality: Modality = "photo",
) -> CompletedPosteriorEncoder:
    return CompletedPosteriorEncoder(pair, modality, prior_logit, similarity_weight, reading_weight, 1.5)


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("reading_weight", [0.0, 0.8])
def test_an_unknown_class_has_the_logit_that_is_promised(
    pair: TeacherPair, modality: Modality, reading_weight: float
) -> None:
    """Computed again from the teachers' files, class by class; photos are not read."""
    known, others = (PHOTO, SKETCH) if modality == "photo" else (SKETCH, PHOTO)
    unknown = [name for name in others if name not in COMMON]
    output = pair.of(modality)(images())
    made = built(pair, reading_weight=reading_weight, modality=modality)
    assert (made.reader is not None) == (reading_weight > 0 and modality == "sketch")
    reading = torch.zeros(6, len(others)) if made.reader is None else made.reader(images()).logits
    found = made.eval().posterior(images(), output)
    weight = last_layer(pair.of("sketch" if modality == "photo" else "photo").network)
    assert weight is not None
    weight = weight - weight.mean(0)
    centred = output.logits - output.logits.mean(1, keepdim=True)
    logits = {name: centred[:, known.index(name)] for name in known}
    seen = torch.stack([logits[name] for name in COMMON], dim=1)
    scores = []
    for name in unknown:
        cosines = [F.cosine_similarity(weight[others.index(name)], weight[others.index(c)], dim=0) for c in COMMON]
        w = torch.stack(cosines)
        cosine = F.cosine_similarity(seen - seen.mean(1, keepdim=True), (w - w.mean())[None], dim=1)
        scores.append(2 * cosine + reading_weight * reading[:, others.index(name)])
    shares = torch.stack(scores, dim=1).softmax(1)
    logits |= {name: 1 + shares[:, i].log() for i, name in enumerate(unknown)}
    expected = torch.stack([logits[name] for name in pair.vocabulary.union], dim=1).div(1.5).softmax(1)
    torch.testing.assert_close(found, expected)


def test_statistics_are_those_of_the_checkpoint(pair: TeacherPair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next encoder gets them from there, and draws no sketch; training batches do not change them."""
    made = built(pair, reading_weight=1.0, modality="sketch")
    before = made(images())
    made.train()
    made.observe(images(), None)
    torch.testing.assert_close(made(images()), before)
    other = built(pair, reading_weight=1.0, modality="sketch")
    monkeypatch.setattr("crossx.teachers.sketch_reader.procedural_sketches", None)
    other.load_state_dict(made.state_dict())
    torch.testing.assert_close(other(images()), before)
    assert all(name.startswith("reader.") for name in made.state_dict())


def test_a_single_image_can_be_embedded(pair: TeacherPair) -> None:
    """It has no variance."""
    made = built(pair, reading_weight=1.0, modality="sketch").train()
    assert made(images(1)).isfinite().all()
    torch.testing.assert_close(made(images(1)), made(images(6))[:1])


def test_the_posterior_is_computed_in_full_precision(pair: TeacherPair) -> None:
    made = built(pair, reading_weight=1.0, modality="sketch")
    output = pair.sketch(images())
    expected = made.posterior(images(), output)
    other = built(pair, reading_weight=1.0, modality="sketch")
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(other.posterior(images(), output), expected)


def test_the_photo_teacher_is_not_run_where_both_teachers_know_all(tmp_path: Path, pair: TeacherPair) -> None:
    both = TeacherPair(*save_teachers(tmp_path, classes=dict.fromkeys(MODALITIES, CLASSES)))
    assert built(pair, reading_weight=1.0, modality="sketch").reader is not None
    made = CompletedPosteriorEncoder(both, "sketch", reading_weight=1.0)
    output = both.sketch(images())
    torch.testing.assert_close(made.posterior(images(), output), output.logits.softmax(1))
    assert made.reader is None
    assert not made.state_dict()


def test_without_an_estimate_it_is_posterior_matching(pair: TeacherPair) -> None:
    for modality in MODALITIES:
        plain = PosteriorEncoder(pair, modality, 1.5)
        made = built(pair, prior_logit=-1e3, similarity_weight=0.0, modality=modality)
        torch.testing.assert_close(made(images()), plain(images()))
        assert not made.state_dict()
    reading = built(pair, prior_logit=-1e3, similarity_weight=0.0, reading_weight=1.0, modality="sketch")
    torch.testing.assert_close(reading(images()), plain(images()))


def test_order_of_classes_does_not_matter(pair: TeacherPair, tmp_path: Path) -> None:
    """Each unknown class has the reading and the similarities of its own row in the photo teacher."""
    paths = {}
    for modality in MODALITIES:
        teacher = pair.of(modality)
        card, order = teacher.card, torch.randperm(7, generator=torch.Generator().manual_seed(1)).tolist()
        network = build_network(card.network, card.arguments, 7)
        own = teacher.network.state_dict()
        network.load_state_dict({name: t[order] if name.startswith("head.") else t for name, t in own.items()})
        paths[modality] = str(tmp_path / f"{modality}.safetensors")
        save_teacher(paths[modality], network, replace(card, classes=tuple(card.classes[i] for i in order)))
    other = TeacherPair(paths["photo"], paths["sketch"])
    assert other.vocabulary.union != pair.vocabulary.union
    place = [other.vocabulary.index(name) for name in pair.vocabulary.union]
    for modality in MODALITIES:
        expected, found = (
            built(p, reading_weight=1.0, modality=modality).posterior(images(), p.of(modality)(images()))
            for p in (pair, other)
        )
        torch.testing.assert_close(found[:, place], expected)


def test_half_known_classes_find_each_other(pair: TeacherPair) -> None:
    """A sketch of a class that the photo teacher does not know has something in common with every photo."""
    made = {m: CompletedPosteriorEncoder(pair, m) for m in MODALITIES}
    for modality, encoder in made.items():
        posterior = encoder.posterior(images(), pair.of(modality)(images()))
        torch.testing.assert_close(posterior.sum(1), torch.ones(6))
        assert (posterior > 0).all()
    made["photo"].check_partner(made["sketch"])


def test_mistakes_are_named(pair: TeacherPair, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^encoder\.similarity_weight: must be at least 0, got -1$"):
        built(pair, similarity_weight=-1)
    with pytest.raises(InputError, match=r"^encoder\.reading_weight: must be at least 0 and finite, got inf$"):
        built(pair, reading_weight=float("inf"))
    with pytest.raises(InputError, match=r"^encoder\.prior_logit: must be finite, got nan$"):
        built(pair, prior_logit=float("nan"))
    plain = PosteriorEncoder(pair, "sketch")
    with pytest.raises(InputError, match=r"must be two CompletedPosteriorEncoders, got a PosteriorEncoder$"):
        built(pair).check_partner(plain)
    monkeypatch.setattr("crossx.encoding.encoders.completed.last_layer", lambda network: None)  # noqa: ARG005
    with pytest.raises(
        InputError,
        match=r"^photo encoder: CompletedPosteriorEncoder needs a sketch teacher whose classifier is one linear",
    ):
        built(pair)


def test_it_follows_its_device_and_dtype(pair: TeacherPair) -> None:
    made = built(pair)
    assert isinstance(made, nn.Module)
    assert {name for name, _ in made.named_buffers()} >= {"unknown_classes", "class_similarity"}
    assert len(made.unknown_classes) == 3
    assert made.class_similarity.shape == (3, 4)
