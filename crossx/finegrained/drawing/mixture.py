"""Distribution of the next row of a drawing: a mixture of Gaussians for the offset, and the pen's three states.

As in sketch-rnn ("A Neural Representation of Sketch Drawings", arXiv 1704.03477). All densities are computed in the
logarithm and in float32, so that no small number needs to be added inside of one.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossx.core.checks import must_be_in

LOG_SIGMAS = (-5.0, 3.0)
"""Smallest and largest logarithm of a standard deviation, in units of the drawings' scale."""
_END = 2
"""Place of the end among the pen's states."""
MOST_RHO = 0.98
"""Bound of the correlation, so that 1 - rho^2 stays away from 0."""


@dataclass
class Mixture:
    """Distribution of a row for each of any number of places, whose shape stands for `...`.

    Attributes:
        pen: Logits of draw, lift and end, (..., 3) float32.
        log_weight: Logarithms of the components' weights, (..., M), which sum to 1 as weights.
        mean: Means of the offset, (..., M, 2), in units of the drawings' scale.
        log_sigma: Logarithms of the standard deviations, (..., M, 2), in [-5, 3].
        rho: Correlations of x and y, (..., M), in (-0.98, 0.98).
    """

    pen: Tensor
    log_weight: Tensor
    mean: Tensor
    log_sigma: Tensor
    rho: Tensor

    def offset_log_prob(self, offset: Tensor) -> Tensor:
        """Log-density of offsets, (..., 2), as (...)."""
        return torch.logsumexp(self.log_weight + self.component_log_prob(offset), -1)

    def component_log_prob(self, offset: Tensor) -> Tensor:
        """Log-density of offsets, (..., 2), under each component by itself, (..., M)."""
        z = (offset.float()[..., None, :] - self.mean) * torch.exp(-self.log_sigma)
        free = 1 - self.rho.square()
        distance = (z.square().sum(-1) - 2 * self.rho * z.prod(-1)) / free
        log_norm = math.log(2 * math.pi) + self.log_sigma.sum(-1) + 0.5 * free.log()
        return -log_norm - 0.5 * distance

    def pen_log_prob(self, pen: Tensor) -> Tensor:
        """Log-probability of the pen's states, one-hot (..., 3), as (...)."""
        return (F.log_softmax(self.pen, -1) * pen.float()).sum(-1)

    def pen_entropy(self) -> Tensor:
        """Entropy of the pen's state, (...) in nats, in [0, log 3]."""
        log_prob = F.log_softmax(self.pen, -1)
        return -(log_prob.exp() * log_prob).sum(-1)

    def draw(self, noise: Tensor, temperature: float) -> Tensor:
        """Draw rows, (..., 5), without gradient.

        Args:
            noise: Two uniform numbers in [0, 1) and two standard normal ones, (..., 4).
            temperature: Divides the logits of pen and components, and its root scales the standard deviations; in
                (0, inf), 1 for the distribution itself.
        """
        component = _drawn(self.log_weight / temperature, noise[..., 0])
        pen = _drawn(self.pen / temperature, noise[..., 1])
        mean, log_sigma, rho = self._of(component)
        first, second = noise[..., 2], noise[..., 3]
        second = rho * first + (1 - rho.square()).sqrt() * second
        offset = mean + math.sqrt(temperature) * log_sigma.exp() * torch.stack([first, second], -1)
        return _rows(offset, pen)

    def most_likely(self) -> Tensor:
        """Mean of the component of most weight, with the pen's most likely state, (..., 5), without gradient."""
        mean, _, _ = self._of(self.log_weight.argmax(-1))
        return _rows(mean, self.pen.argmax(-1))

    def _of(self, component: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, logarithms of the standard deviations, and correlation of one component at each place."""
        pair = component[..., None, None].expand(*component.shape, 1, 2)
        mean, log_sigma = (values.gather(-2, pair).squeeze(-2).detach() for values in (self.mean, self.log_sigma))
        return mean, log_sigma, self.rho.gather(-1, component[..., None]).squeeze(-1).detach()


class MixtureHead(nn.Module):
    """Reads 6M + 3 numbers as a distribution of the next row; it has no parameters.

    The numbers stand in the order of the published decoders: pen (3), then M each of the components' logits, means of
    x and y, logarithms of the standard deviations of x and y, and correlations before the tanh.

    Args:
        components: Number M of Gaussians, at least 1.

    Raises:
        InputError: When `components` is below 1.
    """

    def __init__(self, components: int) -> None:
        super().__init__()
        must_be_in("components", components, "[1, inf)")
        self.components = components

    @property
    def numbers(self) -> int:
        """How many numbers the head reads."""
        return 6 * self.components + 3

    def forward(self, numbers: Tensor) -> Mixture:
        """Read numbers, (..., 6M + 3), of any floating-point type."""
        pen, weight, x, y, log_x, log_y, rho = torch.split(numbers.float(), [3, *[self.components] * 6], -1)
        return Mixture(
            pen,
            F.log_softmax(weight, -1),
            torch.stack([x, y], -1),
            torch.stack([log_x, log_y], -1).clamp(*LOG_SIGMAS),
            MOST_RHO * rho.tanh(),
        )


def _drawn(logits: Tensor, uniform: Tensor) -> Tensor:
    """Choose by the inverse of the cumulative distribution, (...) int64."""
    cumulative = logits.detach().double().softmax(-1).cumsum(-1)
    # The last one is left out: rounding may keep it below a uniform number.
    return (uniform[..., None] >= cumulative[..., :-1]).sum(-1)


def _rows(offset: Tensor, pen: Tensor) -> Tensor:
    """Join offsets and states to rows; an end row has no offset."""
    state = F.one_hot(pen, 3).to(offset.dtype)
    return torch.cat([offset.detach() * (pen != _END)[..., None], state], -1)
