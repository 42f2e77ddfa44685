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
    pair: TeacherPair, offset: float = 1.0, slope: float = 2.0, reading: float = 0.0
) -> CompletedPosteriorEncoder:
    made = CompletedPosteriorEncoder(offset, slope, reading, 0.7, 1.5, dim=4, hidden=0)
    for _ in range(2):  # a second module may start it anew
        made.start_from(pair, "photo")
    return made


@pytest.mark.parametrize("reading", [0.0, 0.8])
def test_an_unknown_class_has_the_logit_that_is_promised(pair: TeacherPair, reading: float) -> None:
    """Computed again from the teachers' files, class by class."""
    output, read = pair.photo(images()), pair.sketch(images()).logits
    made = built(pair, reading=reading)
    if reading:
        with torch.no_grad():
            mean, variance = (torch.rand(3, generator=torch.Generator().manual_seed(i)) for i in (1, 2))
            made.get_buffer("readings.mean").copy_(mean)
            made.get_buffer("readings.var").copy_(variance)
            made.get_buffer("readings.batches").fill_(1)
        read = (read[:, 4:] - mean) / (variance + 1e-5).sqrt()
    found = made.eval().posterior(images(), output)
    union = pair.vocabulary.union
    weight = last_layer(pair.sketch.network)
    assert weight is not None
    weight = weight - weight.mean(0)
    centred = output.logits - output.logits.mean(1, keepdim=True)
    logits = {name: centred[:, PHOTO.index(name)] for name in PHOTO}
    seen = torch.stack([logits[name] for name in COMMON], dim=1)
    guesses = []
    for name in SKETCH[4:]:
        likeness = [F.cosine_similarity(weight[SKETCH.index(name)], weight[SKETCH.index(c)], dim=0) for c in COMMON]
        w = torch.stack(likeness)
        cosine = F.cosine_similarity(seen - seen.mean(1, keepdim=True), (w - w.mean())[None], dim=1)
        guesses.append(2 * cosine + reading * (read[:, SKETCH.index(name) - 4] if reading else 0))
    shares = torch.stack(guesses, dim=1).softmax(1)
    logits |= {name: 1 + shares[:, i].log() for i, name in enumerate(SKETCH[4:])}
    expected = torch.stack([logits[name] for name in union], dim=1).div(1.5).softmax(1)
    torch.testing.assert_close(found, expected)


def test_readings_are_standardised_by_what_was_read_in_training(pair: TeacherPair) -> None:
    """The mean and variance are those of the images seen; the next encoder gets them from the checkpoint."""
    made = built(pair, reading=1.0)
    seen = images(64)
    for _ in range(3):
        in_training = made(seen)
    logits = pair.sketch(seen).logits[:, 4:]
    torch.testing.assert_close(made.get_buffer("readings.mean"), logits.mean(0))
    torch.testing.assert_close(made.get_buffer("readings.var"), logits.var(0, correction=0))
    before = made.eval()(seen)
    torch.testing.assert_close(in_training, before)
    torch.testing.assert_close(made(seen), before)  # nothing moves outside of training
    other = built(pair, reading=1.0).eval()
    other.head = copy.deepcopy(made.head)
    assert not torch.allclose(other(seen), before, atol=1e-4)
    other.load_state_dict(made.state_dict())
    torch.testing.assert_close(other(seen), before)


def test_before_the_first_batch_nothing_is_read(pair: TeacherPair) -> None:
    untrained, without = built(pair, reading=1.0).eval(), built(pair).eval()
    output = pair.photo(images())
    torch.testing.assert_close(untrained.posterior(images(), output), without.posterior(images(), output))


def test_a_single_image_can_be_trained_on(pair: TeacherPair) -> None:
    """It has no variance."""
    made = built(pair, reading=1.0)
    assert made(images(1)).isfinite().all()
    assert made.eval()(images()).isfinite().all()


def test_the_posterior_is_computed_in_full_precision(pair: TeacherPair, monkeypatch: pytest.MonkeyPatch) -> None:
    made = built(pair, reading=1.0)
    made(images())
    output = pair.photo(images())
    expected = made.eval().posterior(images(), output)
    teacher = made.other_teacher
    assert teacher is not None
    told = teacher(images())
    monkeypatch.setattr(teacher, "forward", lambda seen: told)  # noqa: ARG005 - its own forward is in half precision
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(made.posterior(images(), output), expected)


def read(folder: Path, seen: Tensor) -> list[Tensor]:
    """What is known of the readings after this process's part of a batch."""
    world, rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
    files = (str(folder / f"{modality}.safetensors") for modality in MODALITIES)
    made = built(TeacherPair(next(files), next(files)), reading=1.0)
    made(seen.chunk(world)[rank])
    return [made.get_buffer("readings.mean"), made.get_buffer("readings.var")]


def test_two_processes_read_what_one_reads(tmp_path: Path) -> None:
    """Of batches that have other means."""
    save_teachers(tmp_path, classes={"photo": PHOTO, "sketch": SKETCH})
    seen = images(8)
    seen[4:] /= 4
    expected = read(tmp_path, seen)
    for found in run_processes(2, read, tmp_path, seen):
        torch.testing.assert_close(found, expected)


def test_an_adversary_does_not_ask_the_other_teacher(pair: TeacherPair) -> None:
    """It is shown the head alone, and what is shown is what a whole embedding holds."""
    made = built(pair, reading=1.0)
    expected = made.learned(made(images()))
    batches = made.get_buffer("readings.batches").clone()
    asked: list[int] = []
    teacher = made.other_teacher
    assert teacher is not None
    hook = teacher.register_forward_pre_hook(lambda *_: asked.append(1))
    torch.testing.assert_close(made.embed_learned(images()), expected)
    hook.remove()
    assert not asked
    assert torch.equal(made.get_buffer("readings.batches"), batches)


def test_nothing_is_read_where_both_teachers_know_all(tmp_path: Path, pair: TeacherPair) -> None:
    """Nor is anything left of an earlier start."""
    both = TeacherPair(*save_teachers(tmp_path, classes=dict.fromkeys(MODALITIES, CLASSES)))
    made = CompletedPosteriorEncoder(reading=1.0, dim=4, hidden=0)
    made.start_from(pair, "sketch")
    assert "readings.mean" in made.state_dict()
    made.start_from(both, "sketch")
    output = both.sketch(images())
    torch.testing.assert_close(made.posterior(images(), output), output.logits.softmax(1))
    assert made.other_teacher is None
    assert not any(name.startswith("readings") for name in made.state_dict())


def test_without_a_guess_it_is_posterior_matching(pair: TeacherPair) -> None:
    plain = PosteriorEncoder(0.7, 1.5, dim=4, hidden=0)
    plain.start_from(pair, "photo")
    made = built(pair, offset=-1e3, slope=0.0)
    made.head = copy.deepcopy(plain.head)
    torch.testing.assert_close(made(images()), plain(images()))
    assert set(made.state_dict()) == set(plain.state_dict())
    reading = built(pair, offset=-1e3, slope=0.0, reading=1.0)
    reading.head = copy.deepcopy(plain.head)
    torch.testing.assert_close(reading(images()), plain(images()))


def test_half_known_classes_find_each_other(pair: TeacherPair) -> None:
    """A sketch of a class that the photo teacher does not know has something in common with every photo."""
    made = {modality: CompletedPosteriorEncoder(share=0.999, dim=4, hidden=0) for modality in MODALITIES}
    for modality, encoder in made.items():
        encoder.start_from(pair, modality)
        posterior = encoder.posterior(images(), pair.of(modality)(images()))
        torch.testing.assert_close(posterior.sum(1), torch.ones(6))
        assert (posterior > 0).all()
    made["photo"].check_partner(made["sketch"])


def test_mistakes_are_named(pair: TeacherPair, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^encoder\.slope: -1 is not legal; 0 or more$"):
        CompletedPosteriorEncoder(slope=-1)
    with pytest.raises(InputError, match=r"^encoder\.reading: inf is not legal; 0 or more$"):
        CompletedPosteriorEncoder(reading=float("inf"))
    with pytest.raises(InputError, match=r"^encoder\.offset: nan is not legal; a finite number$"):
        CompletedPosteriorEncoder(offset=float("nan"))
    plain = PosteriorEncoder(0.7, dim=4, hidden=0)
    plain.start_from(pair, "sketch")
    with pytest.raises(
        InputError, match="PosteriorEncoder is not legal beside CompletedPosteriorEncoder; another one is"
    ):
        built(pair).check_partner(plain)
    monkeypatch.setattr("crossx.encoding.encoders.completed.last_layer", lambda network: None)  # noqa: ARG005
    with pytest.raises(InputError, match="beside a sketch teacher whose classifier is more than one linear layer"):
        built(pair)


def test_it_follows_its_device_and_dtype(pair: TeacherPair) -> None:
    made = built(pair)
    assert isinstance(made, nn.Module)
    assert {name for name, _ in made.named_buffers()} >= {"unknown", "others"}
    assert len(made.unknown) == 3
    assert made.others.shape == (3, 4)
