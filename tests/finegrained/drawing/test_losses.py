"""Losses of the generator by hand: what counts of a drawing, the divergence and its floor."""

import math

import pytest
import torch
from torch import Tensor

from crossx.finegrained.drawing.losses import (
    KL_FLOOR,
    drawing_log_prob,
    drawing_loss,
    kl_divergence,
    with_floor,
)
from crossx.finegrained.drawing.mixture import Mixture

OFFSET = math.log(2 * math.pi)
"""Negative log-density of a standard normal offset at 0."""


def mixture(pen: Tensor) -> Mixture:
    """Standard normal offsets everywhere, and logits of the pen, (B, L, 3)."""
    shape = pen.shape[:2]
    pair = torch.zeros(*shape, 1, 2)
    return Mixture(pen, torch.zeros(*shape, 1), pair, pair.clone(), torch.zeros(*shape, 1))


def drawings() -> tuple[Tensor, Tensor]:
    """Two drawings of 2 and 1 points at the centre, padded to 4 rows."""
    draw, lift, end = ([0.0, 0.0, *state] for state in ([1, 0, 0], [0, 1, 0], [0, 0, 1]))
    return torch.tensor([[draw, lift, end, end], [lift, end, end, end]]), torch.tensor([2, 1])


def test_the_pen_counts_the_end_row_and_the_offset_does_not() -> None:
    rows, length = drawings()
    pen = torch.tensor([0.5, 0.3, 0.2]).log().expand(2, 4, 3)
    offset, loss = drawing_loss(mixture(pen), rows, length)
    assert float(offset) == pytest.approx(OFFSET)
    by_hand = -(math.log(0.5) + math.log(0.3) + math.log(0.2) + math.log(0.3) + math.log(0.2)) / 5
    assert float(loss) == pytest.approx(by_hand)
    found = drawing_log_prob(mixture(pen), rows, length)
    first = -2 * OFFSET + math.log(0.5) + math.log(0.3) + math.log(0.2)
    assert found.tolist() == pytest.approx([first, -OFFSET + math.log(0.3) + math.log(0.2)])


def test_a_drawing_that_was_cut_has_no_end_row_to_count() -> None:
    rows, length = drawings()
    pen = torch.tensor([0.5, 0.3, 0.2]).log().expand(2, 4, 3)
    found = drawing_log_prob(mixture(pen), rows, length, torch.tensor([False, True]))
    assert float(found[0]) == pytest.approx(-2 * OFFSET + math.log(0.5) + math.log(0.3))


def test_rows_behind_the_end_change_nothing() -> None:
    rows, length = drawings()
    pen = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    other, elsewhere = rows.clone(), pen.clone().requires_grad_()
    other[0, 3], other[1, 2:] = torch.tensor([9.0, 9, 1, 0, 0]), torch.tensor([math.inf, 0, 1, 0, 0])
    for function in (drawing_loss, drawing_log_prob):
        plain, changed = function(mixture(pen), rows, length), function(mixture(elsewhere), other, length)
        torch.testing.assert_close(changed, plain)
    drawing_log_prob(mixture(elsewhere), other, length).sum().backward()  # type: ignore[no-untyped-call]
    assert elsewhere.grad is not None
    assert (elsewhere.grad[0, 3] == 0).all()
    assert (elsewhere.grad[1, 2:] == 0).all()
    assert (elsewhere.grad[1, 1] != 0).all(), "the end row has a gradient"


def test_divergence_by_hand() -> None:
    zero, one = torch.zeros(3, 4), torch.ones(3, 4)
    assert float(kl_divergence(zero, zero)) == 0
    assert float(kl_divergence(one, zero)) == pytest.approx(0.5)
    assert float(kl_divergence(zero, one)) == pytest.approx(0.5 * (math.e - 2))


@pytest.mark.parametrize(("mean", "passes"), [(0.1, False), (2.0, True)])
def test_the_floor_passes_no_gradient_below_it(mean: float, passes: bool) -> None:
    means = torch.full((2, 3), mean).requires_grad_()
    divergence = kl_divergence(means, torch.zeros(2, 3))
    floored = with_floor(divergence)
    assert float(floored.detach()) == pytest.approx(max(float(divergence.detach()), KL_FLOOR))
    floored.backward()  # type: ignore[no-untyped-call]
    assert means.grad is not None
    assert bool((means.grad != 0).any()) == passes
