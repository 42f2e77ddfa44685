"""The photo teacher as a reader of sketches: statistics on procedural sketches, with the pen of the sketch teacher."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.runs import CLASSES, SIZE, SKETCHES, Teachers
from torch import Tensor

from crossx.core.errors import InputError
from crossx.networks.build import build_network
from crossx.pixels.pen import FINER, Pen
from crossx.strokes.procedural import procedural_sketches
from crossx.teachers import sketch_reader
from crossx.teachers.adapted import AdaptedTeacher
from crossx.teachers.pair import TeacherPair
from crossx.teachers.sketch_reader import SketchReader
from crossx.teachers.teacher import load_teacher, save_teacher
from crossx.types import TeacherOutput

PEN = Pen(line_width=0.1, darkness=2.0)


@pytest.fixture
def pair(teachers: Teachers) -> TeacherPair:
    return TeacherPair(*teachers)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the procedural sketches that are drawn."""
    numbers: list[int] = []

    def draw(indices: range, size: int) -> Any:  # noqa: ANN401 - as the function that it stands for
        numbers.extend(indices)
        return procedural_sketches(indices, size)

    monkeypatch.setattr(sketch_reader, "procedural_sketches", draw)
    return numbers


def images(numbers: range = range(SKETCHES), pen: Pen | None = None, size: int = SIZE) -> Tensor:
    """Procedural sketches in [0, 1]."""
    ink = 1 - torch.from_numpy(procedural_sketches(numbers, size * (FINER if pen else 1)))[:, None].float() / 255
    return pen.draw(ink) if pen else (1 - ink).expand(-1, 3, -1, -1)


def joined(output: TeacherOutput) -> Tensor:
    return torch.cat([output.features, output.logits], dim=1)


def expected(pair: TeacherPair, on: Tensor, seen: Tensor) -> Tensor:
    """Features and logits computed again: of the images and of their negatives, each by a reader of its own."""
    found = []
    for procedural_images, view in ((on, seen), (1 - on, 1 - seen)):
        teacher = AdaptedTeacher(pair.photo)
        teacher.adapt([procedural_images])
        own = joined(teacher(procedural_images))
        found.append((joined(teacher(view)) - own.mean(0)) / (own.var(0, correction=0) + 1e-5).sqrt())
    return sum(found) / 2  # type: ignore[return-value]


def with_pen(teachers: Teachers, folder: Path, **changes: object) -> TeacherPair:
    """The teachers with another card of the sketch teacher."""
    sketch = load_teacher(teachers.sketch)
    save_teacher(folder / "sketch.safetensors", sketch.network, replace(sketch.card, **changes))  # type: ignore[arg-type]
    return TeacherPair(teachers.photo, str(folder / "sketch.safetensors"))


def test_reads_as_promised(pair: TeacherPair) -> None:
    seen = images(range(500, 510))
    reader = SketchReader(pair)
    output = reader(seen)
    assert output.logits.shape == (10, len(CLASSES))
    assert output.features.shape == (10, pair.photo.network.num_features)
    torch.testing.assert_close(joined(output), expected(pair, images(), seen))
    assert not output.logits.requires_grad
    assert pair.photo.fingerprint() == pair.photo.hash


def test_procedural_sketches_are_standardised(pair: TeacherPair) -> None:
    """The mean of both readings has the mean 0, and each reading has the variance 1."""
    reader = SketchReader(pair)
    found = joined(reader(images()))
    torch.testing.assert_close(found.mean(0), torch.zeros(found.shape[1]), atol=1e-4, rtol=0)
    for view, teacher, mean, var in zip(
        (images(), 1 - images()), reader.readers, reader.means, reader.variances, strict=True
    ):
        own = (joined(teacher(view)) - mean) / (var + 1e-5).sqrt()
        torch.testing.assert_close(own.mean(0), torch.zeros(len(mean)), atol=1e-4, rtol=0)
        torch.testing.assert_close(own.var(0, correction=0), torch.ones(len(mean)), atol=2e-2, rtol=0)


def test_a_negative_reads_alike_up_to_the_two_statistics(pair: TeacherPair) -> None:
    seen = images(range(500, 510))
    reader = SketchReader(pair)
    reader(seen)
    swapped = SketchReader(pair)
    swapped.load_state_dict(reader.state_dict())
    first, second = swapped.readers
    assert isinstance(first, AdaptedTeacher)
    assert isinstance(second, AdaptedTeacher)
    for one, other in (
        (first.statistics, second.statistics),
        tuple(swapped.means),
        tuple(swapped.variances),
    ):
        kept = one.clone()
        one.copy_(other)
        other.copy_(kept)
    torch.testing.assert_close(joined(swapped(1 - seen)), joined(reader(seen)))
    assert not torch.allclose(joined(reader(1 - seen)), joined(reader(seen)), atol=1e-2)


@pytest.mark.parametrize("inference", [False, True])
def test_adapts_at_the_first_sketch_and_never_again(pair: TeacherPair, drawn: list[int], inference: bool) -> None:
    """A validation runs in inference mode."""
    reader = SketchReader(pair)
    assert not drawn
    seen = torch.rand(4, 3, SIZE, SIZE)
    with torch.inference_mode(inference):
        first = joined(reader(seen))
    assert sorted(drawn) == [*range(SKETCHES)]
    torch.testing.assert_close(joined(reader(seen)), first)
    assert len(drawn) == SKETCHES
    other = SketchReader(pair)
    other.load_state_dict(reader.state_dict())
    torch.testing.assert_close(joined(other(seen)), first)
    assert len(drawn) == SKETCHES


def test_a_checkpoint_holds_the_statistics_alone(pair: TeacherPair) -> None:
    names = {"adapted", "means", "variances", "readers.0.statistics", "readers.1.statistics"}
    reader = SketchReader(pair)
    assert set(reader.state_dict()) == names
    assert not any(p.requires_grad for p in reader.parameters())
    reader(torch.rand(2, 3, SIZE, SIZE))
    assert set(reader.state_dict()) == names


def test_sketches_are_drawn_with_the_pen_of_the_sketch_teacher(teachers: Teachers, tmp_path: Path) -> None:
    pair = with_pen(teachers, tmp_path, pen=PEN)
    seen = images(range(500, 510))
    found = joined(SketchReader(pair)(seen))
    torch.testing.assert_close(found, expected(pair, images(pen=PEN), seen))
    assert not torch.allclose(found, expected(pair, images(), seen), atol=1e-2)


def test_sketches_are_drawn_in_the_size_of_the_sketch_teacher(teachers: Teachers, tmp_path: Path) -> None:
    pair = with_pen(teachers, tmp_path, input_size=24)
    seen = images(range(500, 510))
    torch.testing.assert_close(joined(SketchReader(pair)(seen)), expected(pair, images(size=24), seen))


def test_chunks_together_are_all_sketches(pair: TeacherPair, drawn: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The last chunk is as long as what is left."""
    monkeypatch.setattr(sketch_reader, "_CHUNK", 16)
    reader = SketchReader(pair)
    reader(torch.rand(2, 3, SIZE, SIZE))
    assert sorted(set(drawn)) == list(range(SKETCHES))
    teacher = AdaptedTeacher(pair.photo)
    teacher.adapt(torch.split(images(), 16))
    first = reader.readers[0]
    assert isinstance(first, AdaptedTeacher)
    torch.testing.assert_close(first.statistics, teacher.statistics)
    torch.testing.assert_close(reader.means[0], joined(teacher(images())).mean(0))


def test_half_precision_does_not_change_a_reading(pair: TeacherPair) -> None:
    seen = images(range(500, 510))
    expected = joined(SketchReader(pair)(seen))
    with torch.autocast("cpu", torch.bfloat16):
        found = SketchReader(pair)(seen)
    assert found.features.dtype == torch.float32
    torch.testing.assert_close(joined(found), expected)


def test_order_of_classes_does_not_matter(teachers: Teachers, tmp_path: Path) -> None:
    """The logits are those of the photo teacher, in its own order."""
    order = list(np.random.default_rng(0).permutation(len(CLASSES)))
    photo = load_teacher(teachers.photo)
    network = photo.network
    state = {k: v[order] if k.startswith("head.") else v for k, v in network.state_dict().items()}
    card = replace(photo.card, classes=tuple(CLASSES[i] for i in order))
    other = build_network(card.network, card.arguments, len(CLASSES))
    other.load_state_dict(state)
    save_teacher(tmp_path / "photo.safetensors", other, card)
    seen = images(range(500, 510))
    one = SketchReader(TeacherPair(*teachers))(seen)
    two = SketchReader(TeacherPair(str(tmp_path / "photo.safetensors"), teachers.sketch))(seen)
    torch.testing.assert_close(two.logits, one.logits[:, order])
    torch.testing.assert_close(two.features, one.features)


def test_a_photo_teacher_without_batch_norm_is_told(teachers: Teachers, plain_teachers: Teachers) -> None:
    mixed = TeacherPair(plain_teachers.photo, teachers.sketch)
    with pytest.warns(
        UserWarning, match=r"^encoder: the photo teacher '.*' has no BatchNorm layers, .*; its outputs on "
    ):
        reader = SketchReader(mixed)
    seen = images(range(500, 510))
    torch.testing.assert_close(joined(reader(seen)), expected(mixed, images(), seen))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SketchReader(TeacherPair(teachers.photo, plain_teachers.sketch))


def test_reads_queries_with_their_own_statistics(pair: TeacherPair) -> None:
    """From when they are shown until another set is, or none."""
    reader, plain = SketchReader(pair, own_queries=True), SketchReader(pair)
    one, two = images(range(500, 540)), images(range(600, 650)) ** 2
    seen = one[:10]
    before = joined(reader(seen))
    torch.testing.assert_close(before, joined(plain(seen)))
    state = {name: value.clone() for name, value in reader.state_dict().items()}
    for queries in (one, two):
        assert reader.adapt(queries) == len(queries)
        torch.testing.assert_close(joined(reader(seen)), expected(pair, queries, seen), rtol=1e-4, atol=1e-4)
        assert plain.adapt(queries) == 0
    assert all(torch.equal(state[name], value) for name, value in reader.state_dict().items())
    assert reader.adapt(None) == 0
    torch.testing.assert_close(joined(reader(seen)), before)
    torch.testing.assert_close(joined(plain(seen)), before)


def test_the_order_of_queries_hardly_matters(pair: TeacherPair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are of about equal size and mix what stands together: one set gives one result."""
    queries = torch.cat([images(range(500, 530)), 0.2 * images(range(530, 560))])  # as two classes that differ much
    whole = expected(pair, queries, queries)
    monkeypatch.setattr(sketch_reader, "_CHUNK", 25)
    sizes: list[int] = []
    readers = [SketchReader(pair, own_queries=True) for _ in range(3)]
    with pair.photo.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0]))):
        readers[0].adapt(queries)
    assert set(sizes) == {20}
    readers[1].adapt(list(queries))
    readers[2].adapt(queries.flip(0))
    first, again, reversed_ = (joined(reader(queries)) for reader in readers)
    assert torch.equal(again, first)
    for found in (first, reversed_):
        assert torch.nn.functional.cosine_similarity(found, whole, dim=1).min() > 0.9


def test_few_queries_are_refused(pair: TeacherPair) -> None:
    reader = SketchReader(pair, own_queries=True)
    with pytest.raises(
        InputError, match=r"^encoder\.own_queries: must be false with fewer than 30 queries, .* got 29 "
    ):
        reader.adapt(images(range(29)))
    assert reader.adapt(images(range(30))) == 30
    assert SketchReader(pair).adapt(images(range(2))) == 0


def test_queries_standardise_without_batch_norm_too(teachers: Teachers, plain_teachers: Teachers) -> None:
    mixed = TeacherPair(plain_teachers.photo, teachers.sketch)
    with pytest.warns(UserWarning, match=r"are standardised by those on the unlabelled queries, and no more$"):
        reader = SketchReader(mixed, own_queries=True)
    queries = images(range(500, 540))
    reader.adapt(queries)
    torch.testing.assert_close(joined(reader(queries)), expected(mixed, queries, queries), rtol=1e-4, atol=1e-4)


def test_images_are_not_read_for_nothing(pair: TeacherPair) -> None:
    """A data set is opened only by an encoder that wants it."""

    class Unreadable:
        def __len__(self) -> int:
            return 100

        def __getitem__(self, i: int) -> Tensor:
            raise AssertionError(i)

    assert SketchReader(pair).adapt(Unreadable()) == 0
