"""Refinement through a differentiable rasteriser, without policy gradient."""

import torch
from torch import Tensor

from crossx.finegrained.drawing.generator import as_it_draws
from crossx.finegrained.drawing.mixture import Mixture
from crossx.finegrained.refinement.base import Refinement, RefinementLoss, Reward
from crossx.finegrained.sequences import points_of
from crossx.finegrained.types import FiveBatch
from crossx.strokes.quickdraw import line_width
from crossx.strokes.soft import soft_rasterise


class SoftReward(RefinementLoss):
    """Minus the reward, with its gradient through the picture into the rows of the drawing; our alternative.

    A drawing at temperature 1 is scored row by row, and its rows get a gradient: an offset as mean + deviation * noise
    of the component that most likely made it, and the pen by the straight-through estimator (arXiv 1308.3432). The rows
    that the generator read while it drew count as given.

    Args:
        reward: What a drawing is worth; None for `Reward()`.
    """

    def __init__(self, reward: Reward | None = None) -> None:
        super().__init__()
        self.reward = Reward() if reward is None else reward

    def forward(self, inputs: Refinement) -> Tensor:
        """Draw, judge, and return the loss, a scalar."""
        generator = inputs.generator
        scale = float(generator.scale)
        drawing = generator.draw(inputs.photo, temperature=1.0)
        with as_it_draws(generator):
            taught = generator(inputs.photo, FiveBatch(drawing.rows, drawing.length, scale))
        rows = with_gradient(taught.mixture, taught.rows)
        points, down = points_of(rows, drawing.length, scale)
        width = line_width(inputs.size) if inputs.line_width is None else inputs.line_width
        image = soft_rasterise(points, down, inputs.size, width)
        return -self.reward(inputs, image.expand(-1, 3, -1, -1)).mean()


def with_gradient(mixture: Mixture, rows: Tensor) -> Tensor:
    """Rows of equal values through which gradients flow into the distributions that they were drawn from.

    Args:
        mixture: Distribution of each row; its places are (B, L).
        rows: Drawn rows, (B, L, 5).

    Returns:
        (B, L, 5). Offsets move with mean and deviations of the component that most likely made them; the pen's columns
        move with their probabilities.
    """
    offset, pen = rows[..., :2], rows[..., 2:]
    density = mixture.log_weight + mixture.component_log_prob(offset)
    component = density.argmax(-1)[..., None]
    pair = component[..., None].expand(*component.shape, 2)
    mean, log_sigma = (values.gather(-2, pair).squeeze(-2) for values in (mixture.mean, mixture.log_sigma))
    noise = ((offset - mean) * torch.exp(-log_sigma)).detach()
    drawn = (pen[..., -1:] == 0).to(offset.dtype)  # an end row has no offset
    made = mean + log_sigma.exp() * noise
    moved = drawn * (made - made.detach())
    probability = mixture.pen.softmax(-1)
    return torch.cat([offset + moved, pen + probability - probability.detach()], -1)
