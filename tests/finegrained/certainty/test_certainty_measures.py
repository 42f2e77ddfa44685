"""Measures of certainties against scipy, and against what is seen without a computer."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import mannwhitneyu, spearmanr
from torch.nn.functional import binary_cross_entropy_with_logits

from crossx.finegrained.certainty.measures import (
    TEMPERATURES,
    area_under_curve,
    fit_temperature,
    reliability,
    spearman,
)


def test_area_under_curve_agrees_with_mann_whitney() -> None:
    draw = np.random.default_rng(0)
    real, generated = draw.integers(0, 9, 40), draw.integers(0, 7, 25)  # with ties
    expected = mannwhitneyu(real, generated).statistic / (40 * 25)
    found = area_under_curve(torch.from_numpy(real), torch.from_numpy(generated))
    assert found == pytest.approx(expected, abs=1e-12)


def test_area_under_curve_at_its_ends() -> None:
    low, high = torch.tensor([-2.0, -1.0]), torch.tensor([0.5, 3.0, 4.0])
    assert area_under_curve(high, low) == 1
    assert area_under_curve(low, high) == 0
    assert area_under_curve(low, low) == 0.5


def test_spearman_agrees_with_scipy() -> None:
    draw = np.random.default_rng(1)
    a, b = draw.integers(0, 12, 50), draw.normal(size=50)
    assert spearman(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)
    assert spearman(torch.arange(5), torch.tensor([1, 2, 3, 5, 8])) == pytest.approx(1)
    assert spearman(torch.ones(5), torch.arange(5)) == 0  # nothing is ordered


def test_temperature_is_the_likeliest_one() -> None:
    torch.manual_seed(0)
    real = torch.rand(500) < 0.5
    logits = 6 * torch.randn(500) + 3 * (2 * real.float() - 1)  # too sure of themselves

    def likelihood(temperature: float) -> float:
        return float(binary_cross_entropy_with_logits(logits.double() / temperature, real.double()))

    expected = minimize_scalar(likelihood, bounds=TEMPERATURES, method="bounded", options={"xatol": 1e-8})
    found = fit_temperature(logits, real)
    assert found == pytest.approx(expected.x, rel=1e-4)
    assert likelihood(found) < likelihood(1.0)


def test_temperature_keeps_its_bounds() -> None:
    logits, real = torch.tensor([-1.0, 1.0]), torch.tensor([False, True])
    assert fit_temperature(logits, real) == pytest.approx(TEMPERATURES[0])  # all right
    assert fit_temperature(-logits, real) == pytest.approx(TEMPERATURES[1])  # all wrong


def test_reliability_by_hand() -> None:
    certainty = torch.tensor([0.05, 0.15, 0.12, 0.95, 1.0])
    real = torch.tensor([False, False, True, True, True])
    found = reliability(certainty, real)
    assert [count for _, _, count in found] == [1, 2, 2]
    assert [share for _, share, _ in found] == [0, 0.5, 1]
    assert [mean for mean, _, _ in found] == pytest.approx([0.05, 0.135, 0.975])
