"""Posteriors over the union of two class lists, where each teacher knows classes that the other does not."""

import copy
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from support.processes import run_processes
from support.runs import CLASSES, SIZE, save_teachers
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.encoding.encoders import CompletedPosteriorEncoder, PosteriorEncoder
from crossx.networks.base import last_layer
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES

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
    pair: TeacherPair, prior_logit: float = 1.0, similarity_weight: float = 2.0, other_weight: float = 0.0
) -> CompletedPosteriorEncoder:
    return CompletedPosteriorEncoder(
        pair, "photo", prior_logit, similarity_weight, other_weight, 0.7, 1.5, dim=4, hidden=0
    )


@pytest.mark.parametrize("other_weight", [0.0, 0.8])
def test_an_unknown_class_has_the_logit_that_is_promised(pair: TeacherPair, other_weight: float) -> None:
    """Computed again from the teachers' files, class by class."""
    output, other = pair.photo(images()), pair.sketch(images()).logits
    made = built(pair, other_weight=other_weight)
    if other_weight:
        with torch.no_grad():
            mean, variance = (torch.rand(3, generator=torch.Generator().manual_seed(i)) for i in (1, 2))
            made.get_buffer("other_statistics.mean").copy_(mean)
            made.get_buffer("other_statistics.var").copy_(variance)
            made.get_buffer("other_statistics.batches").fill_(1)
        other = (other[:, 4:] - mean) / (variance + 1e-5).sqrt()
    found = made.eval().posterior(images(), output)
    union = pair.vocabulary.union
    weight = last_layer(pair.sketch.network)
    assert weight is not None
    weight = weight - weight.mean(0)
    centred = output.logits - output.logits.mean(1, keepdim=True)
    logits = {name: centred[:, PHOTO.index(name)] for name in PHOTO}
    seen = torch.stack([logits[name] for name in COMMON], dim=1)
    scores = []
    for name in SKETCH[4:]:
        cosines = [F.cosine_similarity(weight[SKETCH.index(name)], weight[SKETCH.index(c)], dim=0) for c in COMMON]
        w = torch.stack(cosines)
        cosine = F.cosine_similarity(seen - seen.mean(1, keepdim=True), (w - w.mean())[None], dim=1)
        scores.append(2 * cosine + other_weight * (other[:, SKETCH.index(name) - 4] if other_weight else 0))
    shares = torch.stack(scores, dim=1).softmax(1)
    logits |= {name: 1 + shares[:, i].log() for i, name in enumerate(SKETCH[4:])}
    expected = torch.stack([logits[name] for name in union], dim=1).div(1.5).softmax(1)
    torch.testing.assert_close(found, expected)


def test_the_other_teachers_logits_are_standardised_by_those_of_training(pair: TeacherPair) -> None:
    """The mean and variance are those of the images seen; the next encoder gets them from the checkpoint."""
    made = built(pair, other_weight=1.0)
    seen = images(64)
    for _ in range(3):
        in_training = made(seen)
    logits = pair.sketch(seen).logits[:, 4:]
    torch.testing.assert_close(made.get_buffer("other_statistics.mean"), logits.mean(0))
    torch.testing.assert_close(made.get_buffer("other_statistics.var"), logits.var(0, correction=0))
    before = made.eval()(seen)
    torch.testing.assert_close(in_training, before)
    torch.testing.assert_close(made(seen), before)  # nothing moves outside of training
    other = built(pair, other_weight=1.0).eval()
    other.head = copy.deepcopy(made.head)
    assert not torch.allclose(other(seen), before, atol=1e-4)
    other.load_state_dict(made.state_dict())
    torch.testing.assert_close(other(seen), before)


def test_before_the_first_batch_the_other_teacher_does_not_count(pair: TeacherPair) -> None:
    untrained, without = built(pair, other_weight=1.0).eval(), built(pair).eval()
    output = pair.photo(images())
    torch.testing.assert_close(untrained.posterior(images(), output), without.posterior(images(), output))


def test_a_single_image_can_be_trained_on(pair: TeacherPair) -> None:
    """It has no variance."""
    made = built(pair, other_weight=1.0)
    assert made(images(1)).isfinite().all()
    assert made.eval()(images()).isfinite().all()


def test_the_posterior_is_computed_in_full_precision(pair: TeacherPair, monkeypatch: pytest.MonkeyPatch) -> None:
    made = built(pair, other_weight=1.0)
    made(images())
    output = pair.photo(images())
    expected = made.eval().posterior(images(), output)
    teacher = made.other_teacher
    assert teacher is not None
    known = teacher(images())
    monkeypatch.setattr(teacher, "forward", lambda seen: known)  # noqa: ARG005 - its own forward is in half precision
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(made.posterior(images(), output), expected)


def statistics(folder: Path, seen: Tensor) -> list[Tensor]:
    """Statistics of the other teacher's logits after this process's part of a batch."""
    world, rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
    files = (str(folder / f"{modality}.safetensors") for modality in MODALITIES)
    made = built(TeacherPair(next(files), next(files)), other_weight=1.0)
    made(seen.chunk(world)[rank])
    return [made.get_buffer("other_statistics.mean"), made.get_buffer("other_statistics.var")]


def test_two_processes_have_the_statistics_of_one(tmp_path: Path) -> None:
    """Of batches that have other means."""
    save_teachers(tmp_path, classes={"photo": PHOTO, "sketch": SKETCH})
    seen = images(8)
    seen[4:] /= 4
    expected = statistics(tmp_path, seen)
    for found in run_processes(2, statistics, tmp_path, seen):
        torch.testing.assert_close(found, expected)


def test_a_critic_does_not_run_the_other_teacher(pair: TeacherPair) -> None:
    """It gets the vector of the head alone, the same that a whole embedding holds."""
    made = built(pair, other_weight=1.0)
    expected = made.embed(images(), None).trainable_part
    batches = made.get_buffer("other_statistics.batches").clone()
    forwards: list[int] = []
    teacher = made.other_teacher
    assert teacher is not None
    hook = teacher.register_forward_pre_hook(lambda *_: forwards.append(1))
    torch.testing.assert_close(made.embed_for_critic(images(), None).trainable_part, expected)
    hook.remove()
    assert not forwards
    assert torch.equal(made.get_buffer("other_statistics.batches"), batches)


def test_the_other_teacher_is_not_run_where_both_teachers_know_all(tmp_path: Path, pair: TeacherPair) -> None:
    both = TeacherPair(*save_teachers(tmp_path, classes=dict.fromkeys(MODALITIES, CLASSES)))
    made = CompletedPosteriorEncoder(pair, "sketch", other_weight=1.0, dim=4, hidden=0)
    assert "other_statistics.mean" in made.state_dict()
    made = CompletedPosteriorEncoder(both, "sketch", other_weight=1.0, dim=4, hidden=0)
    output = both.sketch(images())
    torch.testing.assert_close(made.posterior(images(), output), output.logits.softmax(1))
    assert made.other_teacher is None
    assert not any(name.startswith("other_statistics") for name in made.state_dict())


def test_without_an_estimate_it_is_posterior_matching(pair: TeacherPair) -> None:
    plain = PosteriorEncoder(pair, "photo", 0.7, 1.5, dim=4, hidden=0)
    made = built(pair, prior_logit=-1e3, similarity_weight=0.0)
    made.head = copy.deepcopy(plain.head)
    torch.testing.assert_close(made(images()), plain(images()))
    assert set(made.state_dict()) == set(plain.state_dict())
    with_other = built(pair, prior_logit=-1e3, similarity_weight=0.0, other_weight=1.0)
    with_other.head = copy.deepcopy(plain.head)
    torch.testing.assert_close(with_other(images()), plain(images()))


def test_half_known_classes_find_each_other(pair: TeacherPair) -> None:
    """A sketch of a class that the photo teacher does not know has something in common with every photo."""
    made = {m: CompletedPosteriorEncoder(pair, m, share=0.999, dim=4, hidden=0) for m in MODALITIES}
    for modality, encoder in made.items():
        posterior = encoder.posterior(images(), pair.of(modality)(images()))
        torch.testing.assert_close(posterior.sum(1), torch.ones(6))
        assert (posterior > 0).all()
    made["photo"].check_partner(made["sketch"])


def test_mistakes_are_named(pair: TeacherPair, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^encoder\.similarity_weight: must be at least 0, got -1$"):
        built(pair, similarity_weight=-1)
    with pytest.raises(InputError, match=r"^encoder\.other_weight: must be at least 0 and finite, got inf$"):
        built(pair, other_weight=float("inf"))
    with pytest.raises(InputError, match=r"^encoder\.prior_logit: must be finite, got nan$"):
        built(pair, prior_logit=float("nan"))
    plain = PosteriorEncoder(pair, "sketch", 0.7, dim=4, hidden=0)
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
