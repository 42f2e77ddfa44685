import math
from functools import partial

import numpy as np
import pytest
import torch
from support.embedded import Array, array, built, check_gradient, learn, random_embeddings, rows, sure_embeddings
from support.runs import Teachers
from torch.distributions import Normal, kl_divergence

from crossx.core.errors import InputError
from crossx.encoding.losses import MIBLoss
from crossx.encoding.losses.mib import Estimate, symmetric_divergence

each_estimate = pytest.mark.parametrize("estimate", ["info_nce", "jensen_shannon"])


def loss_of(teachers: Teachers, estimate: Estimate, beta: float = 0.1, temperature: float = 0.3) -> MIBLoss:
    """One with heads that have learned something."""
    loss = built(partial(MIBLoss, beta=beta, estimate=estimate, temperature=temperature), teachers)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for tensor in loss.parameters():
            tensor.add_(torch.randn(tensor.shape, generator=generator, dtype=torch.float64), alpha=0.3)
    assert isinstance(loss, MIBLoss)
    return loss


def numpy_information(scores: Array, same: Array, weight: Array, estimate: Estimate) -> float:
    size, total = len(scores), 0.0
    if estimate == "jensen_shannon":
        negatives = [math.log1p(math.exp(scores[i, j])) for i in range(size) for j in range(size) if not same[i, j]]
        positives = [math.log1p(math.exp(-scores[i, i])) for i in range(size)]
        return float(weight @ np.array(positives) / weight.sum()) + float(np.mean(negatives))
    for matrix, alike in ((scores, same), (scores.T, same.T)):
        for i in range(size):
            kept = [j for j in range(size) if j == i or not alike[i, j]]
            total += weight[i] * (math.log(sum(math.exp(matrix[i, j]) for j in kept)) - matrix[i, i]) / 2
    return total / float(weight.sum())


@each_estimate
def test_matches_numpy(teachers: Teachers, estimate: Estimate) -> None:
    x, loss = random_embeddings(6), loss_of(teachers, estimate).eval()
    heads = {name: array(tensor) for name, tensor in loss.named_parameters()}
    mean, deviation = {}, {}
    for side in ("photo", "sketch"):
        e = array(getattr(x, side))
        mean[side] = e @ heads["mean.weight"].T + heads["mean.bias"]
        deviation[side] = np.log1p(np.exp(e @ heads["deviation.weight"].T + heads["deviation.bias"])) + 1e-3
    unit = {side: m / np.linalg.norm(m, axis=1, keepdims=True) for side, m in mean.items()}
    weight = (array(x.photo_posterior) * array(x.sketch_posterior)).sum(1)
    same = array(x.sketch_posterior).argmax(1)[:, None] == array(x.photo_posterior).argmax(1)[None, :]
    np.fill_diagonal(same, True)
    expected = numpy_information(unit["sketch"] @ unit["photo"].T / 0.3, same, weight, estimate)
    photo, sketch = (
        Normal(torch.from_numpy(mean[side]), torch.from_numpy(deviation[side])) for side in ("photo", "sketch")
    )
    divergence = array((kl_divergence(photo, sketch) + kl_divergence(sketch, photo)).sum(1) / 2)
    expected += 0.1 * float(weight @ divergence / weight.sum())
    assert loss(x).item() == pytest.approx(expected, rel=1e-6)


@each_estimate
@pytest.mark.parametrize("training", [True, False])
def test_gradient(teachers: Teachers, estimate: Estimate, training: bool) -> None:
    loss = loss_of(teachers, estimate).train(training)
    if training:
        check_gradient(loss, random_embeddings(6))
    else:
        loss.beta = 1.0  # without noise, only the divergence depends on the deviations
        check_gradient(loss, random_embeddings(6))


def test_equal_distributions_do_not_diverge() -> None:
    mean, deviation = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)), torch.full((3, 4), 0.3)
    assert symmetric_divergence(mean, deviation, mean, deviation).abs().max() < 1e-5
    there, back = (mean, deviation), (mean + 1, 2 * deviation)
    torch.testing.assert_close(symmetric_divergence(*there, *back), symmetric_divergence(*back, *there))


@each_estimate
def test_pairs_come_together_and_apart_from_others(teachers: Teachers, estimate: Estimate) -> None:
    x = sure_embeddings([0, 1, 2, 3, 4, 5])
    learn(built(partial(MIBLoss, estimate=estimate), teachers), x)
    cosine = x.sketch @ x.photo.T
    others = cosine[~torch.eye(6, dtype=torch.bool)]
    assert cosine.diagonal().mean() > others.mean() + 0.7


def test_beta_drives_out_what_is_in_one_view_alone(teachers: Teachers) -> None:
    def divergence(beta: float) -> float:
        x, loss = sure_embeddings([0, 1, 2, 3, 4, 5]), built(partial(MIBLoss, beta=beta), teachers)
        learn(loss, x, steps=100)
        loss.eval()
        assert isinstance(loss, MIBLoss)
        loss.beta = 0.0
        without = loss(x).item()
        loss.beta = 1.0
        return float(loss(x).item() - without)

    assert divergence(1.0) < 0.5 * divergence(0.0)


def test_a_pair_counts_as_far_as_its_teachers_agree(teachers: Teachers) -> None:
    """A pair that shows two classes for sure is nobody's positive, and its images are negatives of the others."""
    x, loss = sure_embeddings([0, 1, 2, 3]), built(partial(MIBLoss, beta=1.0, temperature=0.3), teachers).eval()
    x.photo_posterior = torch.nn.functional.one_hot(x.target, 10).double()
    x.sketch_posterior = torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 9]), 10).double()
    before = loss(x).item()
    x.sketch[3], x.photo[3] = x.sketch[0], x.photo[0]
    assert loss(x).item() != pytest.approx(before), "they still are negatives"
    nobody = rows(x, [3])
    assert loss(nobody).item() == 0


def test_images_of_one_class_are_no_negatives(teachers: Teachers) -> None:
    x, loss = sure_embeddings([4, 4, 4]), built(partial(MIBLoss, beta=0), teachers).eval()
    assert loss(x).item() == 0


def test_noise_is_drawn_in_training_only(teachers: Teachers) -> None:
    x, loss = random_embeddings(), built(MIBLoss, teachers)
    assert loss(x).item() != loss(x).item()
    loss.eval()
    assert loss(x).item() == loss(x).item()


@pytest.mark.parametrize("beta", [-1.0, math.inf, math.nan])
def test_beta_is_checked(teachers: Teachers, beta: float) -> None:
    finite = " and finite" if beta == math.inf else ""
    with pytest.raises(InputError, match=rf"^beta: must be at least 0{finite}, got {beta}$"):
        built(partial(MIBLoss, beta=beta), teachers)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_the_temperature_is_checked(teachers: Teachers, temperature: float) -> None:
    with pytest.raises(InputError, match=rf"^temperature: must be above 0, got {temperature}$"):
        built(partial(MIBLoss, temperature=temperature), teachers)


def test_the_estimate_is_checked(teachers: Teachers) -> None:
    with pytest.raises(InputError, match=r"^estimate: must be one of info_nce, jensen_shannon; got 'mine'$"):
        built(partial(MIBLoss, estimate="mine"), teachers)  # type: ignore[arg-type]


def test_its_heads_are_as_wide_as_the_space(teachers: Teachers) -> None:
    """It is complete after its constructor: the mean starts as the embedding, the noise at half its length."""
    loss = built(MIBLoss, teachers, dim=7)
    assert isinstance(loss, MIBLoss)
    assert {n: tuple(p.shape) for n, p in loss.named_parameters() if "weight" in n} == {
        "mean.weight": (7, 7),
        "deviation.weight": (7, 7),
    }
    vectors = torch.nn.functional.normalize(torch.randn(3, 7, dtype=torch.float64), dim=1)
    mean, deviation, _ = loss._view(vectors)
    torch.testing.assert_close(mean, vectors)
    torch.testing.assert_close(deviation.norm(dim=1), torch.full((3,), 0.5, dtype=torch.float64), atol=0.01, rtol=0)
