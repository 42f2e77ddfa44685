"""Photos and sketches in the photo teacher's features, each standardised in its own modality."""

from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from support.processes import run_processes
from support.runs import SGD, SIZE, Teachers, save_teachers
from torch import Tensor

from crossx.core.errors import InputError
from crossx.encoding.encoders import CompositeEncoder, PosteriorEncoder, ReadingEncoder, TeacherHeadEncoder
from crossx.encoding.encoders.composite import Part
from crossx.encoding.losses import SupConLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.module import EncoderModule
from crossx.teachers.pair import TeacherPair
from crossx.teachers.sketch_reader import SketchReader
from crossx.types import MODALITIES, Progress


@pytest.fixture
def pair(teachers: Teachers) -> TeacherPair:
    return TeacherPair(*teachers)


def images(count: int = 6, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def test_sketches_are_embedded_by_their_reading(pair: TeacherPair) -> None:
    made = ReadingEncoder(pair, "sketch")
    assert made.dim == pair.photo.network.num_features
    assert made.trainable_dim == 0
    forwards: list[int] = []
    with pair.sketch.register_forward_pre_hook(lambda *_: forwards.append(1)):
        found = made(images(), pair.photo(images()))  # an output is of no use
    torch.testing.assert_close(found, F.normalize(SketchReader(pair)(images()).features, dim=1))
    assert not forwards


def test_photos_are_standardised_by_the_photos_of_training(pair: TeacherPair) -> None:
    """Of batches that weigh alike; before the first one features are what they are."""
    made = ReadingEncoder(pair, "photo").train()
    seen = images(seed=1)
    features = pair.photo(seen).features
    torch.testing.assert_close(made(seen), F.normalize(features, dim=1))
    batches = [images(8, seed) / seed for seed in (2, 3)]
    for batch, known in zip(batches, (None, pair.photo(batches[1])), strict=True):
        made.observe(batch, known)
    observed = pair.photo(torch.cat(batches)).features
    expected = (features - observed.mean(0)) / (observed.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(made(seen), F.normalize(expected, dim=1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made.eval()(seen, pair.photo(seen)), F.normalize(expected, dim=1), rtol=1e-4, atol=1e-5)


def test_embedding_does_not_change_the_statistics(pair: TeacherPair) -> None:
    made = ReadingEncoder(pair, "photo").train()
    made.observe(images(8), None)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    assert set(before) == {"statistics.mean", "statistics.var", "statistics.batches"}
    assert int(before["statistics.batches"]) == 1
    made(images(8, seed=1))
    made.eval().observe(images(8, seed=1), None)
    assert all(torch.equal(before[name], value) for name, value in made.state_dict().items())
    other = ReadingEncoder(pair, "photo")
    other.load_state_dict(before)
    assert torch.equal(other(images()), made(images()))


def test_known_outputs_are_not_computed_again(pair: TeacherPair) -> None:
    made = ReadingEncoder(pair, "photo")
    known = pair.photo(images())
    forwards: list[int] = []
    with pair.photo.register_forward_pre_hook(lambda *_: forwards.append(1)):
        made.observe(images(), known)
        found = made(images(), known)
        assert not forwards
        torch.testing.assert_close(made(images()), found)
        assert len(forwards) == 1


def test_a_single_photo_can_be_observed(pair: TeacherPair) -> None:
    """It has no variance."""
    made = ReadingEncoder(pair, "photo")
    made.observe(images(1), None)
    assert made(images(3)).isfinite().all()


def test_nothing_is_saved_but_statistics_and_nothing_trains(pair: TeacherPair) -> None:
    for modality in MODALITIES:
        made = ReadingEncoder(pair, modality)
        assert not [p for p in made.parameters() if p.requires_grad]
        assert all(name.startswith("statistics." if modality == "photo" else "reader.") for name in made.state_dict())
        x = images().requires_grad_()
        assert not made(x).requires_grad


@pytest.mark.parametrize("modality", MODALITIES)
def test_bfloat16_does_not_round_what_is_standardised(pair: TeacherPair, modality: str) -> None:
    plain, made = (ReadingEncoder(pair, "photo" if modality == "photo" else "sketch") for _ in range(2))
    known = pair.photo(images())
    plain.observe(images(), known)
    with torch.autocast("cpu", torch.bfloat16):
        made.observe(images(), known)
        found = made(images(), known)
    torch.testing.assert_close(found, plain(images(), known))


def observed(folder: Path, seen: Tensor) -> list[Tensor]:
    """Statistics after this process's part of a batch."""
    world, rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
    files = (str(folder / f"{modality}.safetensors") for modality in MODALITIES)
    made = ReadingEncoder(TeacherPair(next(files), next(files)), "photo")
    made.observe(seen.chunk(world)[rank], None)
    return [made.get_buffer("statistics.mean"), made.get_buffer("statistics.var")]


def test_two_processes_have_the_statistics_of_one(tmp_path: Path) -> None:
    """Of batches that have other means."""
    save_teachers(tmp_path)
    seen = images(8)
    seen[4:] /= 4
    expected = observed(tmp_path, seen)
    for found in run_processes(2, observed, tmp_path, seen):
        torch.testing.assert_close(found, expected)


def test_a_step_counts_the_photos_of_its_pairs(teachers: Teachers) -> None:
    """Inside of a composite encoder, and once a step."""
    reading = Part(ReadingEncoder)
    parts = {"head": Part(partial(TeacherHeadEncoder, dim=4, hidden=0)), "reading": reading}
    terms = {"sup_con": EncodingTerm(SupConLoss())}
    module = EncoderModule(*teachers, partial(CompositeEncoder, parts=parts), terms, optimizer=SGD)
    pairs = module.teachers(images(8), images(8, seed=1))
    module.step(pairs, Progress(0))
    module.criticise(pairs)
    state = module.state_dict()
    batches = {name: int(value) for name, value in state.items() if name.endswith(".batches")}
    assert batches == {"photo_encoder.parts.reading.statistics.batches": 1}
    mean = state["photo_encoder.parts.reading.statistics.mean"]
    torch.testing.assert_close(mean, pairs.photo_teacher.features.mean(0))
    assert not state["sketch_encoder.parts.reading.reader.adapted"]  # training does not read sketches


def test_mistakes_are_named(pair: TeacherPair) -> None:
    made = ReadingEncoder(pair, "photo")
    made.check_partner(ReadingEncoder(pair, "sketch"))
    with pytest.raises(
        InputError, match=r"^encoder, sketch_encoder: must be two ReadingEncoders, got a PosteriorEncoder$"
    ):
        made.check_partner(PosteriorEncoder(pair, "sketch"))


def test_without_batch_norm_it_says_what_is_left(teachers: Teachers, plain_teachers: Teachers) -> None:
    mixed = TeacherPair(plain_teachers.photo, teachers.sketch)
    with pytest.warns(UserWarning, match=r"^encoder: the photo teacher '.*' has no BatchNorm layers"):
        ReadingEncoder(mixed, "sketch")
