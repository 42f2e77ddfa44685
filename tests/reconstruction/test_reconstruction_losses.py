"""Values and gradients: against numpy, against hand-made cases, in one process and in two.

Over 300 lines, because all losses of the generators are held to one table of cases.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.distributed as dist
from support.processes import run_processes
from torch import Tensor

from crossx.core.errors import InputError
from crossx.reconstruction.losses import (
    ActivationLoss,
    AdversarialLoss,
    BatchNormStatisticsLoss,
    ClassAlignmentLoss,
    InformationEntropyLoss,
    OneHotLoss,
    OneSidedAlignmentLoss,
    Reconstruction,
    ReconstructionLoss,
)
from crossx.reconstruction.losses.activation import activation
from crossx.reconstruction.losses.adversarial import adversarial
from crossx.reconstruction.losses.batch_norm_statistics import statistics_distance
from crossx.reconstruction.losses.class_alignment import jensen_shannon
from crossx.reconstruction.losses.information_entropy import class_prior, negative_entropy
from crossx.reconstruction.losses.one_hot import label_cross_entropy
from crossx.reconstruction.losses.one_sided_alignment import one_sided_divergence
from crossx.teachers.vocabulary import Vocabulary, agreed_class
from crossx.types import CriticOutput, LayerStatistics, PairBatch, TeacherOutput

Array = npt.NDArray[np.float64]

# Union: cat dog car owl; shared: dog, car, in another order in the sketch teacher.
VOCABULARY = Vocabulary(["cat", "dog", "car"], ["car", "owl", "dog"])


def layer_statistics(x: Tensor, running_mean: Tensor, running_var: Tensor) -> LayerStatistics:
    return LayerStatistics(x.mean(dim=0), x.var(dim=0, unbiased=False), running_mean, running_var)


def reconstruction(
    photo_logits: Tensor, sketch_logits: Tensor, hardness: Tensor | None = None, target: Tensor | None = None
) -> Reconstruction:
    """Pairs whose features are twice their logits and whose one BatchNorm layer sees the logits."""
    size = len(photo_logits)
    photo, sketch = (
        TeacherOutput(logits, 2 * logits, [layer_statistics(logits, torch.zeros(3), torch.ones(3))])
        for logits in (photo_logits, sketch_logits)
    )
    images = torch.zeros(size, 3, 4, 4)
    target = torch.zeros(size).long() if target is None else target
    critic = None if hardness is None else CriticOutput(hardness)
    return Reconstruction(PairBatch(images, images, photo, sketch, target), VOCABULARY, critic)


def random_reconstruction(size: int = 8) -> Reconstruction:
    generator = torch.Generator().manual_seed(0)
    photo, sketch = torch.randn(2, size, 3, generator=generator).mul(2).unbind()
    hardness, target = torch.rand(size, generator=generator), torch.randint(4, (size,), generator=generator)
    return reconstruction(photo, sketch, hardness, target)


def softmax(x: Tensor) -> Array:
    exponent = np.exp(x.numpy().astype(np.float64))
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))


def both(x: Reconstruction) -> list[TeacherOutput]:
    return [x.pairs.photo_teacher, x.pairs.sketch_teacher]


# --- numpy references, by loops and from the definitions ---


def test_one_hot_predicted_is_minus_the_log_of_the_largest_probability() -> None:
    x = random_reconstruction()
    expected = np.mean([-np.log(softmax(teacher.logits).max(axis=1)).mean() for teacher in both(x)])
    assert OneHotLoss()(x).item() == pytest.approx(expected, rel=1e-5)


def test_posteriors_are_computed_once_and_without_gradient() -> None:
    x = random_reconstruction()
    assert x.posteriors is x.posteriors
    assert x.agreed is x.agreed
    assert not any(posterior.requires_grad for posterior in x.posteriors.values())
    for modality, teacher in x.teachers.items():
        torch.testing.assert_close(x.posteriors[modality], VOCABULARY.union_posterior(teacher.logits, modality))
    assert torch.equal(x.agreed, VOCABULARY.most_likely(*(teacher.logits for teacher in x.teachers.values())))


def test_one_hot_agreed_uses_the_most_likely_common_class() -> None:
    x = random_reconstruction()
    photo, sketch = (softmax(teacher.logits) for teacher in both(x))
    total = 0.0
    for p, s in zip(photo, sketch, strict=True):
        score = [p[0] / 3, p[1] * s[2], p[2] * s[0], s[1] / 3]
        match int(np.argmax(score)):
            case 0:
                total -= math.log(p[0])
            case 1:
                total -= math.log(p[1]) + math.log(s[2])
            case 2:
                total -= math.log(p[2]) + math.log(s[0])
            case 3:
                total -= math.log(s[1])
    assert OneHotLoss("agreed")(x).item() == pytest.approx(total / (2 * 8), rel=1e-5)


def test_entropy_matches_numpy() -> None:
    x = random_reconstruction()
    means = [softmax(teacher.logits).mean(axis=0) for teacher in both(x)]
    expected = np.mean([(mean * np.log(mean)).sum() for mean in means])
    assert InformationEntropyLoss()(x).item() == pytest.approx(expected, rel=1e-5)


def test_activation_matches_numpy() -> None:
    x = random_reconstruction()
    expected = -np.mean([np.abs(teacher.features.numpy()).mean() for teacher in both(x)])
    assert ActivationLoss()(x).item() == pytest.approx(expected, rel=1e-5)


def test_alignment_matches_numpy() -> None:
    x = random_reconstruction()
    photo, sketch = softmax(x.pairs.photo_teacher.logits)[:, [1, 2]], softmax(x.pairs.sketch_teacher.logits)[:, [2, 0]]
    photo, sketch = photo / photo.sum(axis=1, keepdims=True), sketch / sketch.sum(axis=1, keepdims=True)
    middle = (photo + sketch) / 2
    expected = ((photo * np.log(photo / middle) + sketch * np.log(sketch / middle)).sum(axis=1) / 2).mean()
    assert ClassAlignmentLoss()(x).item() == pytest.approx(expected, rel=1e-5)
    one_sided = (sketch * np.log(sketch / photo)).sum(axis=1).mean()
    assert OneSidedAlignmentLoss()(x).item() == pytest.approx(one_sided, rel=1e-5)


def test_one_sided_alignment_pulls_photos_alone_and_hardest_where_teachers_are_sure_of_different_classes() -> None:
    photo = torch.tensor([[0.0, 8, 0], [0, 0, 8]], requires_grad=True)  # a dog, a car
    sketch = torch.tensor([[8.0, 0, 0], [8, 0, 0]], requires_grad=True)  # two cars

    def pulls(loss: ReconstructionLoss) -> tuple[Tensor, ...]:
        return torch.autograd.grad(loss(reconstruction(photo, sketch)), (photo, sketch), materialize_grads=True)

    (of_photos, of_sketches), (bounded, _) = pulls(OneSidedAlignmentLoss()), pulls(ClassAlignmentLoss())
    assert not of_sketches.any()
    assert of_photos[0].norm() > 10 * bounded[0].norm()
    assert of_photos[0].norm() > 100 * of_photos[1].norm()


def test_statistics_distance_matches_numpy() -> None:
    x = random_reconstruction()
    expected = []
    for teacher in both(x):
        values = teacher.logits.numpy().astype(np.float64)
        expected.append(np.sqrt((values.mean(axis=0) ** 2).sum()) + np.sqrt(((values.var(axis=0) - 1) ** 2).sum()))
    assert BatchNormStatisticsLoss()(x).item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_adversarial_matches_numpy() -> None:
    x = random_reconstruction()
    photo, sketch = (softmax(teacher.logits).argmax(axis=1) for teacher in both(x))
    agree = np.array([0, 1, 2])[photo] == np.array([2, 3, 1])[sketch]
    assert 0 < agree.sum() < 8
    assert x.critic is not None
    assert AdversarialLoss()(x).item() == pytest.approx(-x.critic.hardness.numpy()[agree].mean(), rel=1e-5)


# --- hand-made cases and bounds ---


def test_agreed_class_by_hand() -> None:
    # Union a b c d; the photo teacher knows a b c, the sketch teacher b c d.
    photo_known, sketch_known = torch.tensor([1, 1, 1, 0]).bool(), torch.tensor([0, 1, 1, 1]).bool()
    photo = torch.tensor([[0.0, 0.6, 0.4, 0], [0.9, 0.05, 0.05, 0], [0.4, 0.3, 0.3, 0], [0, 1.0, 0, 0]])
    sketch = torch.tensor([[0, 0.3, 0.7, 0.0], [0, 0.4, 0.3, 0.3], [0, 0.05, 0.05, 0.9], [0, 0.0, 1, 0]])
    # 0.28 for c; 0.3 for a, on which the sketch teacher has no opinion; 0.3 for d; a contradiction of two sure
    # teachers, which must not end at a class that neither sees.
    chosen = agreed_class(photo, sketch, photo_known, sketch_known).tolist()
    assert chosen[:3] == [2, 0, 3]
    assert chosen[3] in (1, 2)


def test_a_label_of_minus_one_counts_zero() -> None:
    logits = torch.tensor([[0.0, 0.0], [5.0, -5.0]], requires_grad=True)
    loss = label_cross_entropy(logits, torch.tensor([1, -1]))
    assert loss.item() == pytest.approx(math.log(2) / 2)
    assert torch.autograd.grad(loss, logits)[0][1].tolist() == [0, 0]
    assert label_cross_entropy(logits, torch.tensor([-1, -1])).item() == 0


def test_labels_are_checked() -> None:
    with pytest.raises(InputError, match=r"^labels: must be one of predicted, agreed; got 'argmax'$"):
        OneHotLoss("argmax")  # type: ignore[arg-type]


def test_entropy_is_bounded_and_safe_where_a_probability_is_zero() -> None:
    logits = torch.tensor([[500.0, 0.0, -500.0]] * 4, requires_grad=True)
    loss = negative_entropy(logits)
    assert loss.item() == 0
    assert torch.autograd.grad(loss, logits)[0].isfinite().all()
    assert negative_entropy(torch.eye(3) * 500).item() == pytest.approx(-math.log(3))


def long_lists(seed: int = 0) -> Reconstruction:
    """Three classes a side of which two are shared, and 20 of which two are."""
    photo, sketch = ["cat", "dog", "car"], ["car", "dog", *(f"other {i}" for i in range(18))]
    torch.manual_seed(seed)
    first, second = (TeacherOutput(torch.randn(6, len(names)) * 3, torch.randn(6, 5)) for names in (photo, sketch))
    pairs = PairBatch(torch.zeros(0), torch.zeros(0), first, second, torch.zeros(6))
    return Reconstruction(pairs, Vocabulary(photo, sketch))


def test_entropy_leaves_the_shared_classes_their_share() -> None:
    """The divergence from a prior by numpy, where few classes are shared; the plain entropy where many are."""
    x = long_lists()
    photo, sketch = (softmax(teacher.logits).mean(axis=0) for teacher in both(x))
    prior = np.array([0.25] * 2 + [0.5 / 18] * 18)
    divergence = (sketch * np.log(sketch / prior)).sum() - math.log(20)
    plain = (photo * np.log(photo)).sum()
    assert InformationEntropyLoss()(x).item() == pytest.approx((plain + divergence) / 2, rel=1e-5)
    uniform = (sketch * np.log(sketch)).sum()
    assert InformationEntropyLoss(shared=0.1)(x).item() == pytest.approx((plain + uniform) / 2, rel=1e-5)
    assert InformationEntropyLoss(shared=0)(x).item() == pytest.approx((plain + uniform) / 2, rel=1e-5)


def test_entropy_is_lowest_at_its_prior() -> None:
    logits = torch.zeros(4, 20, requires_grad=True)
    prior = class_prior(torch.arange(20) < 2, 0.5)
    assert prior is not None
    assert prior[:2].sum().item() == pytest.approx(0.5)
    assert prior.sum().item() == pytest.approx(1)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(300):
        loss = negative_entropy(logits, prior)
        optimizer.zero_grad()
        logits.grad = torch.autograd.grad(loss, logits)[0]
        optimizer.step()
    torch.testing.assert_close(logits.softmax(1).mean(0), prior, rtol=0.02, atol=1e-3)
    assert loss.item() == pytest.approx(-math.log(20), abs=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_entropy_of_equal_lists_is_the_plain_one_to_the_bit(share: float) -> None:
    names = ["cat", "dog", "car", "owl"]
    torch.manual_seed(0)
    logits = [torch.randn(6, 4, requires_grad=True) for _ in range(2)]
    first, second = (TeacherOutput(x, torch.zeros(6, 2)) for x in logits)
    pairs = PairBatch(torch.zeros(0), torch.zeros(0), first, second, torch.zeros(6))
    means = [x.softmax(1).mean(0) for x in logits]
    plain = torch.stack([(m * m.clamp_min(torch.finfo(m.dtype).tiny).log()).sum() for m in means]).mean()
    loss = InformationEntropyLoss(share)(Reconstruction(pairs, Vocabulary(names, names[::-1])))
    assert torch.equal(loss, plain)
    for a, b in zip(torch.autograd.grad(loss, logits), torch.autograd.grad(plain, logits), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_share_of_the_shared_classes_is_checked(share: float) -> None:
    with pytest.raises(InputError, match=rf"^shared: must be in \[0, 1\), got {share}$"):
        InformationEntropyLoss(share)


def test_jensen_shannon_is_bounded_symmetric_and_safe() -> None:
    a = torch.tensor([[500.0, 0.0], [1.0, 2.0], [0.3, 0.1]], requires_grad=True)
    b = torch.tensor([[0.0, 500.0], [11.0, 12.0], [0.1, 0.9]], requires_grad=True)
    divergence = jensen_shannon(a, b)
    assert divergence[0].item() == pytest.approx(math.log(2))
    assert divergence[1].item() == pytest.approx(0, abs=1e-6)
    assert 0 < divergence[2].item() < math.log(2)
    torch.testing.assert_close(divergence, jensen_shannon(b, a))
    for gradient in torch.autograd.grad(divergence.sum(), (a, b)):
        assert gradient.isfinite().all()
        assert gradient[2].abs().sum() > 0


def test_statistics_distance_is_zero_at_the_stored_ones_and_a_mean_over_layers() -> None:
    mean, var = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    at_home = LayerStatistics(mean, var, mean, var)
    away = LayerStatistics(mean + torch.tensor([3.0, 4.0]), var + torch.tensor([0.0, 1.0]), mean, var)
    assert statistics_distance([at_home]).item() == 0
    assert statistics_distance([away]).item() == 6
    assert statistics_distance([away, at_home, away]).item() == pytest.approx(4)


def test_a_teacher_without_batch_norm_has_no_statistics_distance() -> None:
    x = random_reconstruction()
    full = BatchNormStatisticsLoss()(x).item()
    photo = statistics_distance(x.pairs.photo_teacher.statistics).item()
    x.pairs.photo_teacher.statistics = []
    assert BatchNormStatisticsLoss()(x).item() == pytest.approx(full - photo / 2)
    x.pairs.sketch_teacher.statistics = []
    assert BatchNormStatisticsLoss()(x).item() == 0


def test_adversarial_is_zero_without_critic_and_without_agreement() -> None:
    x = random_reconstruction()
    assert AdversarialLoss()(Reconstruction(x.pairs, VOCABULARY)).item() == 0
    hardness = torch.rand(4, requires_grad=True)
    loss = adversarial(hardness, torch.zeros(4).bool())
    assert loss.item() == 0
    assert torch.autograd.grad(100 * loss, hardness)[0].tolist() == [0] * 4, "not NaN, whatever the weight"
    assert adversarial(torch.ones(4), torch.tensor([1, 0, 1, 0]).bool()).item() == -1


ALL: list[ReconstructionLoss] = [
    OneHotLoss("predicted"),
    OneHotLoss("agreed"),
    InformationEntropyLoss(),
    ActivationLoss(),
    ClassAlignmentLoss(),
    OneSidedAlignmentLoss(),
    BatchNormStatisticsLoss(),
    AdversarialLoss(),
]
each_loss = pytest.mark.parametrize("loss", ALL, ids=lambda loss: type(loss).__name__)


@each_loss
def test_the_order_of_pairs_does_not_matter(loss: ReconstructionLoss) -> None:
    x = random_reconstruction()
    order = torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    photo, sketch = (teacher.logits[order] for teacher in both(x))
    assert x.critic is not None
    shuffled = reconstruction(photo, sketch, x.critic.hardness[order], x.pairs.target[order])
    assert loss(shuffled).item() == pytest.approx(loss(x).item(), rel=1e-5)


@each_loss
def test_half_precision_is_summed_in_float32(loss: ReconstructionLoss) -> None:
    photo, sketch = (teacher.logits.bfloat16() for teacher in both(random_reconstruction()))
    assert loss(reconstruction(photo, sketch, torch.rand(8).bfloat16())).dtype == torch.float32


def test_gradients_are_those_of_the_values() -> None:
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
    label = torch.tensor([0, 3, -1, 2, 2])
    stored = torch.rand(4, generator=generator, dtype=torch.float64), torch.ones(4, dtype=torch.float64)

    def two_layers(x: Tensor, y: Tensor) -> Tensor:
        return statistics_distance([layer_statistics(x, *stored), layer_statistics(y, *stored)])

    agree = torch.tensor([1, 0, 1, 1, 0]).bool()
    assert torch.autograd.gradcheck(lambda x: label_cross_entropy(x, label), (a,))
    assert torch.autograd.gradcheck(negative_entropy, (a,))
    assert torch.autograd.gradcheck(activation, (a,))
    assert torch.autograd.gradcheck(jensen_shannon, (a, b))
    assert torch.autograd.gradcheck(lambda x: one_sided_divergence(x, b), (a,))
    assert torch.autograd.gradcheck(two_layers, (a, b))
    assert torch.autograd.gradcheck(lambda x: adversarial(x[:, 0], agree), (a,))


# --- two processes are one process with the double batch ---


def batch_level_losses(inputs: Tensor) -> list[list[Any]]:
    """Value and process-averaged gradient of a shared weight, for each loss, on this process's part of the inputs."""
    world, rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
    part = inputs.chunk(world)[rank]
    results = []
    for loss in (InformationEntropyLoss(), BatchNormStatisticsLoss()):
        weight = torch.linspace(-1, 1, 15, dtype=torch.float64).view(5, 3).requires_grad_()
        value = loss(reconstruction(part @ weight, (part - 1) @ weight))
        (gradient,) = torch.autograd.grad(value, weight)
        if world > 1:
            dist.all_reduce(gradient)
        results.append([value.item(), (gradient / world).tolist()])
    return results


def test_two_processes_equal_one_with_the_double_batch() -> None:
    # A sorted first column makes the processes' means differ, so that their exchange matters.
    inputs = torch.randn(16, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).sort(dim=0).values
    expected = batch_level_losses(inputs)
    for results in run_processes(2, batch_level_losses, inputs):
        for result, reference in zip(results, expected, strict=True):
            assert result[0] == pytest.approx(reference[0], rel=1e-6)
            np.testing.assert_allclose(result[1], reference[1], rtol=1e-6, atol=1e-9)
