import pytest
import torch
from torch import Tensor

from crossx.networks.channel_statistics import channel_statistics


def images(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Channels with means far from zero, beside which their spread is small."""
    g = torch.Generator().manual_seed(0)
    offsets = torch.arange(shape[1], dtype=torch.float64).view(1, -1, *(1 for _ in shape[2:])) * 10
    return (torch.randn(*shape, generator=g, dtype=torch.float64) + offsets).to(dtype)


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (4, 3, 5, 2), (2, 3, 4, 2, 2)])
def test_are_those_of_batch_norm(shape: tuple[int, ...]) -> None:
    x = images(*shape)
    mean, var = channel_statistics(x)
    dims = [d for d in range(x.ndim) if d != 1]
    torch.testing.assert_close(mean, x.mean(dims))
    torch.testing.assert_close(var, x.var(dims, correction=0))


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5, 2)])
def test_gradient(shape: tuple[int, ...]) -> None:
    x = images(*shape).requires_grad_()
    assert torch.autograd.gradcheck(channel_statistics, (x,))
    assert torch.autograd.gradcheck(lambda x: channel_statistics(x)[1].sqrt(), (x,))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_low_precision_is_summed_in_full_precision(memory_format: torch.memory_format) -> None:
    x = images(8, 4, 16, 16, dtype=torch.bfloat16).to(memory_format=memory_format).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        mean, var = channel_statistics(x)
    assert mean.dtype == var.dtype == torch.float32
    exact = x.detach().double()
    torch.testing.assert_close(mean.double(), exact.mean((0, 2, 3)), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(var.double(), exact.var((0, 2, 3), correction=0), rtol=1e-5, atol=0)
    (mean.sum() + 3 * var.sum()).backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.dtype == torch.bfloat16
    expected = (1 + 6 * (exact - exact.mean((0, 2, 3), keepdim=True))) / (8 * 16 * 16)
    torch.testing.assert_close(x.grad.double(), expected, rtol=2**-8, atol=1e-7)


def test_constant_channel_has_no_variance() -> None:
    mean, var = channel_statistics(torch.full((4, 2, 3, 3), 7.0))
    assert mean.tolist() == [7.0, 7.0]
    assert var.tolist() == [0.0, 0.0]
