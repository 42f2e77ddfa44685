"""The distribution of a row: densities by hand and by torch.distributions, bounds, and what is drawn from it."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from crossx.core.errors import InputError
from crossx.finegrained.drawing.mixture import LOG_SIGMAS, MOST_RHO, Mixture, MixtureHead


def one(rho: float = 0.0, log_sigma: float = 0.0) -> Mixture:
    zero = torch.zeros(1, 1, 2)
    return Mixture(torch.zeros(1, 3), torch.zeros(1, 1), zero, zero + log_sigma, torch.full((1, 1), rho))


def random_numbers(places: int, components: int, seed: int = 0) -> Tensor:
    return torch.randn(places, 6 * components + 3, generator=torch.Generator().manual_seed(seed))


def test_densities_by_hand() -> None:
    at = torch.zeros(1, 2)
    assert float(-one().offset_log_prob(at)) == pytest.approx(math.log(2 * math.pi), abs=1e-6)
    assert float(-one(rho=0.5).offset_log_prob(at)) == pytest.approx(1.837877 + 0.5 * math.log(0.75), abs=1e-6)
    assert float(-one(rho=0.5).offset_log_prob(at)) == pytest.approx(1.694036, abs=1e-6)
    # One standard deviation away in x: the exponent is one half.
    assert float(-one().offset_log_prob(torch.tensor([[1.0, 0.0]]))) == pytest.approx(1.837877 + 0.5, abs=1e-6)


def test_twenty_mixtures_against_torch_distributions() -> None:
    mixture = MixtureHead(7)(random_numbers(20, 7))
    sigma = mixture.log_sigma.exp().double()
    covariance = torch.diag_embed(sigma.square())
    covariance[..., 0, 1] = covariance[..., 1, 0] = mixture.rho.double() * sigma.prod(-1)
    reference = MixtureSameFamily(
        Categorical(logits=mixture.log_weight.double()), MultivariateNormal(mixture.mean.double(), covariance)
    )
    offsets = torch.randn(20, 2, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        mixture.offset_log_prob(offsets).double(),
        reference.log_prob(offsets.double()),  # type: ignore[no-untyped-call]
        rtol=1e-5,
        atol=1e-5,
    )
    pen = torch.eye(3)[torch.arange(20) % 3]
    states = Categorical(logits=mixture.pen)
    torch.testing.assert_close(mixture.pen_log_prob(pen), states.log_prob(pen.argmax(1)))  # type: ignore[no-untyped-call]
    torch.testing.assert_close(mixture.pen_entropy(), states.entropy())  # type: ignore[no-untyped-call]


def test_gradient() -> None:
    parts = [torch.randn(2, 3, generator=torch.Generator().manual_seed(i)).double() for i in range(4)]
    mean, log_sigma = torch.stack(parts[:2], -1), 0.3 * torch.stack(parts[2:], -1)
    offsets = torch.tensor([[0.3, -0.2], [1.0, 0.5]])

    def density(weight: Tensor, mean: Tensor, log_sigma: Tensor, rho: Tensor) -> Tensor:
        return Mixture(parts[0], weight.log_softmax(-1), mean, log_sigma, 0.9 * rho.tanh()).offset_log_prob(offsets)

    inputs = [p.clone().requires_grad_() for p in (parts[0], mean, log_sigma, parts[1])]
    assert torch.autograd.gradcheck(density, inputs)


@pytest.mark.parametrize("number", [-1e4, 1e4])
def test_extreme_numbers_give_finite_densities_and_gradients(number: float) -> None:
    numbers = torch.full((1, 9), number).requires_grad_()
    mixture = MixtureHead(1)(numbers)
    assert mixture.log_sigma.unique().tolist() == [LOG_SIGMAS[0] if number < 0 else LOG_SIGMAS[1]]
    assert mixture.rho.abs().max() <= MOST_RHO
    density = mixture.offset_log_prob(torch.tensor([[3.0, -4.0]]))
    assert density.isfinite().all()
    density.sum().backward()
    assert numbers.grad is not None
    assert numbers.grad.isfinite().all()


def test_half_precision_numbers_are_read_in_float32() -> None:
    numbers = random_numbers(4, 3).half()
    assert MixtureHead(3)(numbers).log_weight.dtype == torch.float32


def noise(count: int, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.cat([torch.rand(count, 2, generator=source), torch.randn(count, 2, generator=source)], 1)


def test_draws_agree_with_weights_and_pen() -> None:
    weights, pen = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.7, 0.2, 0.1])
    mean = torch.tensor([[-10.0, 0.0], [0.0, 10.0], [10.0, 0.0]])
    count = 20_000
    mixture = Mixture(
        pen.log().expand(count, 3),
        weights.log().expand(count, 3),
        mean.expand(count, 3, 2),
        torch.zeros(count, 3, 2),
        torch.zeros(count, 3),
    )
    rows = mixture.draw(noise(count), 1.0)
    for state, share in enumerate(pen.tolist()):
        error = 3 * math.sqrt(share * (1 - share) / count)
        assert float((rows[:, 2 + state] == 1).float().mean()) == pytest.approx(share, abs=error)
    assert (rows[rows[:, 4] == 1, :2] == 0).all(), "an end row has no offset"
    points = rows[rows[:, 4] == 0]
    nearest = torch.cdist(points[:, :2], mean).argmin(1)
    for component, share in enumerate(weights.tolist()):
        error = 3 * math.sqrt(share * (1 - share) / len(points))
        assert float((nearest == component).float().mean()) == pytest.approx(share, abs=error)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_variance_scales_with_the_temperature(temperature: float) -> None:
    count = 20_000
    pair = torch.zeros(count, 1, 2)
    mixture = Mixture(
        torch.tensor([9.0, 0.0, -99.0]).expand(count, 3), torch.zeros(count, 1), pair, pair, torch.full((count, 1), 0.6)
    )
    offsets = mixture.draw(noise(count), temperature)[:, :2]
    covariance = offsets.T.cov()
    torch.testing.assert_close(covariance / temperature, torch.tensor([[1.0, 0.6], [0.6, 1.0]]), rtol=0, atol=0.05)


def test_the_most_likely_row() -> None:
    mixture = MixtureHead(2)(torch.tensor([[0.0, 2.0, 1.0, -1.0, 3.0, 7.0, 8.0, -7.0, -8.0, 0, 0, 0, 0, 0, 0]]))
    assert mixture.most_likely().tolist() == [[8.0, -8.0, 0.0, 1.0, 0.0]]


def test_no_component() -> None:
    with pytest.raises(InputError, match=r"components: must be at least 1, got 0"):
        MixtureHead(0)
