import math

import numpy as np
import pytest
import torch

from crossx.encoding.losses.divergence import divergence


def test_it_matches_numpy_and_has_the_gradient_of_its_value() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(6, 5, generator=generator, dtype=torch.float64).softmax(dim=1)
    logits = torch.randn(6, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    p, z = teacher.numpy(), logits.detach().numpy()
    q = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    assert divergence(teacher, logits).item() == pytest.approx((p * np.log(p / q)).sum() / 6)
    assert torch.autograd.gradcheck(lambda x: divergence(teacher, x), (logits,))
    assert divergence(teacher, teacher.log()).item() == pytest.approx(0, abs=1e-9)


def test_a_class_that_neither_knows_is_left_out() -> None:
    teacher = torch.tensor([[0.5, 0.5, 0.0]])
    logits = torch.tensor([[1.0, 1.0, -math.inf]], requires_grad=True)
    value = divergence(teacher, logits)
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert torch.autograd.grad(value, logits)[0].isfinite().all()


def test_half_precision_is_raised() -> None:
    assert divergence(torch.full((2, 4), 0.25).bfloat16(), torch.randn(2, 4).bfloat16()).dtype == torch.float32
