"""What is measured of a batch, against numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from crossx.reports.health.measures import (
    chance_agreement,
    class_counts,
    class_spread,
    class_use,
    gradient_factor,
    gradient_size,
    mean_and_error,
    pair_correlation,
)


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pairwise(x: np.ndarray) -> np.ndarray:
    """Squared distances of all pairs of different rows."""
    distance = ((x[:, None] - x[None]) ** 2).sum(-1)
    return np.asarray(distance[~np.eye(len(x), dtype=bool)])


def test_counts() -> None:
    counts = class_counts(torch.tensor([2, 0, 2, 2]), 4)
    assert counts.tolist() == [1, 0, 3, 0]


def test_spread_is_the_distance_within_classes_over_that_between_them() -> None:
    """With classes of one size the pooled variance is the mean over all pairs of one class."""
    predicted = torch.tensor([0, 3, 1] * 5)
    features = drawn(0, 15, 6) + 4 * drawn(1, 4, 6)[predicted]
    x, labels = features.numpy(), predicted.numpy()
    within = np.mean([pairwise(x[labels == c]).mean() for c in (0, 1, 3)])
    between = pairwise(np.stack([x[labels == c].mean(0) for c in (0, 1, 3)])).mean()
    assert between > (x**2).sum(1).mean() / 16
    assert class_spread(features, predicted, 5).item() == pytest.approx(np.sqrt(within / between), rel=1e-6)


def test_spread_of_one_class_is_measured_by_the_length() -> None:
    features = drawn(0, 8, 3) + 10
    x = features.numpy()
    expected = np.sqrt(pairwise(x).mean() / ((x**2).sum(1).mean() / 16))
    assert class_spread(features, torch.zeros(8, dtype=torch.int64), 2).item() == pytest.approx(expected, rel=1e-6)


def test_spread_of_copies_is_zero_and_without_two_of_a_class_there_is_none() -> None:
    predicted = torch.tensor([0, 0, 1, 1])
    assert class_spread(torch.eye(2)[predicted], predicted, 2).item() == 0
    assert class_spread(torch.ones(4, 3), torch.zeros(4, dtype=torch.int64), 1).item() == 0
    assert class_spread(torch.eye(3), torch.arange(3), 3).isnan()
    assert class_spread(torch.eye(2, dtype=torch.bfloat16)[predicted], predicted, 2).dtype == torch.float32


def test_correlation() -> None:
    photo, sketch = drawn(0, 20, 5), drawn(1, 20, 5)
    sketch = sketch + photo

    def centred(logits: np.ndarray) -> np.ndarray:
        log_posterior = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        return np.asarray((log_posterior - log_posterior.mean(0)).ravel())

    p, s = centred(photo.numpy()), centred(sketch.numpy())
    assert pair_correlation(photo, sketch).item() == pytest.approx((p @ s) / np.sqrt((p @ p) * (s @ s)), rel=1e-6)
    assert pair_correlation(photo, photo).item() == pytest.approx(1)
    assert pair_correlation(torch.ones(4, 3), drawn(0, 4, 3)).item() == 0


def test_classes_that_are_common_on_both_sides_do_not_correlate() -> None:
    bias = torch.tensor([5.0, 0, 0, 0])
    values = [pair_correlation(drawn(2 * i, 50, 4) + bias, drawn(2 * i + 1, 50, 4) + bias).item() for i in range(40)]
    mean, error = mean_and_error(np.array(values))
    assert abs(mean) < 3 * error


def test_gradient_factor() -> None:
    d, g = torch.tensor([0.5, 0.9, 1.0, 0.0, 0.2]), torch.tensor([-0.1, -0.3, -0.2, -0.2, 0.0])
    expected = (0.1 * 1 + 0.3 * 2 * np.sqrt(0.09)) / 0.8
    assert gradient_factor(d, g).item() == pytest.approx(expected, rel=1e-6)
    assert gradient_factor(d, torch.zeros(5)).item() == 0


def test_gradient_factor_is_the_derivative_by_the_angle() -> None:
    angle = torch.linspace(0.1, 3.0, 7, dtype=torch.float64, requires_grad=True)
    d = (1 - angle.cos()) / 2
    d.sum().backward()  # type: ignore[no-untyped-call]
    assert angle.grad is not None
    for one, slope in zip(d.detach(), angle.grad, strict=True):
        assert gradient_factor(one[None], torch.ones(1)).item() == pytest.approx(2 * slope.item(), rel=1e-6)


def test_gradient_size() -> None:
    learning, idle, frozen = (nn.Parameter(drawn(i, 3, i + 1)) for i in range(3))
    frozen.requires_grad_(False)
    assert gradient_size([learning, idle, frozen]).item() == 0
    learning.grad = drawn(7, 3, 1)
    expected = np.sqrt((learning.grad.numpy() ** 2).sum() / (3 + 6))
    assert gradient_size([learning, idle, frozen]).item() == pytest.approx(expected, rel=1e-6)


def test_class_use() -> None:
    counts = np.array([6.0, 1, 1, 0, 0, 1, 1])
    share = counts[counts > 0] / 10
    assert class_use(counts, 5) == pytest.approx(-(share * np.log(share)).sum() / np.log(5))
    assert class_use(np.array([4.0, 4, 4, 0]), 3) == pytest.approx(1)
    assert class_use(np.array([9.0, 0]), 2) == 0
    assert class_use(np.array([1.0, 1, 0, 0]), 4) == pytest.approx(1), "two images cannot be of four classes"
    shared = np.array([True, True, *[False] * 18])
    half = np.array([9.0, 9, *[1] * 18])
    assert class_use(half, 20, shared) == pytest.approx(1)
    assert class_use(half, 20) < 0.85
    assert class_use(np.array([90.0, 90, *[0] * 18]), 20, shared) == pytest.approx(1 - np.log(2) / np.log(20))
    assert class_use(np.array([90.0, 0, *[0] * 18]), 20, shared) == pytest.approx(1 - np.log(4) / np.log(20))
    assert class_use(np.array([0.0, 0, 90, *[0] * 17]), 20, shared) == 0, "rarer than it should be"
    assert class_use(counts, 5, np.ones(len(counts), dtype=bool)) == class_use(counts, 5)
    assert class_use(np.array([9.0]), 1) == class_use(np.zeros(2), 2) == 1, "no choice"


def test_chance_agreement() -> None:
    photo, sketch = np.array([3.0, 1, 0]), np.array([1.0, 1, 2])
    pairs = [p == s for p in (0, 0, 0, 1) for s in (0, 1, 2, 2)]
    assert chance_agreement(photo, sketch) == pytest.approx(np.mean(pairs))
    assert chance_agreement(np.zeros(2), np.zeros(2)) == 0


def test_mean_and_error() -> None:
    values = np.array([1.0, 2, 4, 9])
    assert mean_and_error(values) == pytest.approx((4.0, np.sqrt(((values - 4) ** 2).sum() / 3 / 4)))
