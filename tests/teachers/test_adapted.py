"""Teachers whose BatchNorm layers take the statistics of other images."""

from collections.abc import Sequence

import pytest
import torch
from support.runs import SIZE, Teachers
from torch import Tensor, nn

from crossx.networks.build import build_network
from crossx.teachers.adapted import AdaptedTeacher
from crossx.teachers.teacher import FrozenTeacher, load_teacher


@pytest.fixture
def teacher(teachers: Teachers) -> FrozenTeacher:
    return load_teacher(teachers.photo)


def chunks(*sizes: int) -> list[Tensor]:
    """Images that are darker from chunk to chunk."""
    torch.manual_seed(0)
    return [torch.rand(n, 3, SIZE, SIZE) / (1 + i) for i, n in enumerate(sizes)]


def by_torch(teacher: FrozenTeacher, images: Sequence[Tensor]) -> tuple[nn.Module, Tensor]:
    """A copy whose layers have torch's own averages over chunks, and all of these one behind the other.

    Torch keeps unbiased variances; those of chunks are biased, as those that layers normalise by in training.
    """
    card = teacher.card
    network = build_network(card.network, card.arguments, len(card.classes))
    network.load_state_dict(teacher.network.state_dict())
    network.eval()
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    counts: dict[nn.Module, int] = {}

    def count(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        counts[layer] = inputs[0].numel() // inputs[0].shape[1]

    for layer in layers:
        layer.train()
        layer.momentum = None  # torch's own notation of an average
        layer.reset_running_stats()
        layer.register_forward_pre_hook(count)
    with torch.no_grad():
        for chunk in images:
            network(teacher.preprocessing(chunk))
    network.eval()
    kept: list[Tensor] = []
    for layer in layers:
        assert layer.running_mean is not None
        assert layer.running_var is not None
        layer.running_var *= (counts[layer] - 1) / counts[layer]
        kept += [layer.running_mean, layer.running_var]
    return network, torch.cat(kept)


def test_statistics_are_those_of_layers_in_training(teacher: FrozenTeacher) -> None:
    images = chunks(12, 12, 12)
    adapted = AdaptedTeacher(teacher)
    adapted.adapt(images)
    network, statistics = by_torch(teacher, images)
    torch.testing.assert_close(adapted.statistics, statistics)
    seen = torch.rand(5, 3, SIZE, SIZE)
    output = adapted(seen)
    torch.testing.assert_close(output.logits, network(teacher.preprocessing(seen)))
    assert not torch.allclose(output.logits, teacher(seen).logits, atol=1e-2)


def test_each_image_counts_the_same(teacher: FrozenTeacher) -> None:
    """A chunk counts by its length."""
    long, short = chunks(12, 4)
    adapted, of_long, of_short = (AdaptedTeacher(teacher) for _ in range(3))
    adapted.adapt(iter([long, short]))
    of_long.adapt([long])
    of_short.adapt([short])
    torch.testing.assert_close(adapted.statistics, 0.75 * of_long.statistics + 0.25 * of_short.statistics)


def test_statistics_are_taken_anew_each_time(teacher: FrozenTeacher) -> None:
    adapted, once = AdaptedTeacher(teacher), AdaptedTeacher(teacher)
    adapted.adapt(chunks(6, 6))
    adapted.adapt(chunks(8))
    once.adapt(chunks(8))
    assert torch.equal(adapted.statistics, once.statistics)


def test_it_is_the_teacher_until_it_adapts_and_never_changes_it(teacher: FrozenTeacher) -> None:
    seen = torch.rand(5, 3, SIZE, SIZE)
    before = teacher(seen)
    adapted = AdaptedTeacher(teacher)
    output = adapted(seen)
    assert torch.equal(output.logits, before.logits)
    assert torch.equal(output.features, before.features)
    adapted.train().adapt(chunks(8))
    adapted(seen)
    assert teacher.fingerprint() == teacher.hash
    assert torch.equal(teacher(seen).logits, before.logits)
    assert not any(module.training for module in teacher.modules())
    hooks = [module for module in teacher.modules() if module._forward_pre_hooks]
    assert not hooks


def test_hooks_end_with_a_chunk_that_fails(teacher: FrozenTeacher) -> None:
    adapted = AdaptedTeacher(teacher)
    with pytest.raises(RuntimeError):
        adapted.adapt([torch.rand(2, 5, SIZE, SIZE)])
    before = adapted.statistics.clone()
    adapted(torch.rand(5, 3, SIZE, SIZE))
    assert torch.equal(adapted.statistics, before)


def test_state_dict_holds_the_statistics_and_no_weight(teacher: FrozenTeacher) -> None:
    adapted, other = AdaptedTeacher(teacher), AdaptedTeacher(teacher)
    adapted.adapt(chunks(8))
    assert set(adapted.state_dict()) == {"statistics"}
    other.load_state_dict(adapted.state_dict())
    seen = torch.rand(5, 3, SIZE, SIZE)
    assert torch.equal(other(seen).logits, adapted(seen).logits)
    assert not any(p.requires_grad for p in adapted.parameters())


def test_two_readers_of_one_teacher_have_statistics_of_their_own(teacher: FrozenTeacher) -> None:
    one, other = AdaptedTeacher(teacher), AdaptedTeacher(teacher)
    seen = torch.rand(5, 3, SIZE, SIZE)
    before = other(seen).logits
    one.adapt(chunks(8))
    assert torch.equal(other(seen).logits, before)


def test_a_teacher_without_batch_norm_stays_what_it_is(plain_teachers: Teachers, teachers: Teachers) -> None:
    teacher = load_teacher(plain_teachers.photo)
    adapted = AdaptedTeacher(teacher)
    assert not adapted.applies
    assert AdaptedTeacher(load_teacher(teachers.photo)).applies
    adapted.adapt(chunks(8))
    assert adapted.statistics.shape == (0,)
    seen = torch.rand(5, 3, SIZE, SIZE)
    assert torch.equal(adapted(seen).logits, teacher(seen).logits)
    assert adapted.state_dict()["statistics"].shape == (0,)
