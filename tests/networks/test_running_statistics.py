"""Running mean and variance: values and gradients."""

import numpy as np
import pytest
import torch

from crossx.networks.running_statistics import RunningStatistics


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_they_are_those_of_all_weighted_images(momentum: float) -> None:
    batches = torch.randn(15, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    batches = batches + torch.arange(15)[:, None, None] / 5  # batches whose means differ
    running = RunningStatistics(3, momentum).double()
    share = np.zeros(15)
    for i, batch in enumerate(batches):
        mean, var = running(batch.mean(0), batch.var(0, unbiased=False))
        new = max(1 / (i + 1), 1 - momentum)
        share *= 1 - new
        share[i] = new
    values = batches.numpy()
    expected = sum(w * x.mean(axis=0) for w, x in zip(share, values, strict=True))
    spread = sum(w * ((x - expected) ** 2).mean(axis=0) for w, x in zip(share, values, strict=True))
    np.testing.assert_allclose(mean.numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(var.numpy(), spread, rtol=1e-6)
    assert torch.equal(running.mean, mean)
    assert torch.equal(running.var, var)
    assert int(running.batches) == 15


def test_gradient_is_that_of_the_present_batch_alone() -> None:
    generator = torch.Generator().manual_seed(1)
    first, second = (torch.rand(2, 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
    running = RunningStatistics(3, 0.9).double()
    torch.stack(running(*first)).sum().backward()  # type: ignore[no-untyped-call]
    assert first.grad is not None
    first.grad = None
    # The first batch's graph is gone, and is not missed.
    torch.stack(running(*second)).sum().backward()  # type: ignore[no-untyped-call]
    assert first.grad is None
    running.eval()
    assert torch.autograd.gradcheck(lambda x: torch.stack(running(*x)), (second,))


def test_in_eval_mode_nothing_is_remembered() -> None:
    running = RunningStatistics(3, 0.9).eval()
    running(torch.ones(3), torch.ones(3))
    assert int(running.batches) == 0
    assert running.mean.tolist() == [0, 0, 0]


def test_half_precision_is_summed_in_float32() -> None:
    running = RunningStatistics(3, 0.9).bfloat16()
    mean, var = running(torch.ones(3), torch.ones(3))
    assert (mean.dtype, var.dtype) == (torch.float32,) * 2
