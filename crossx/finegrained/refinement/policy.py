"""Refinement by policy gradient: drawings that are worth more than the baseline become likelier."""

import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.finegrained.refinement.base import Refinement, RefinementLoss, Reward
from crossx.finegrained.refinement.baselines import Baseline, BatchBaseline
from crossx.finegrained.refinement.rewards import advantages
from crossx.finegrained.rendering import images_of
from crossx.finegrained.types import Drawing


class PolicyGradient(RefinementLoss):
    """REINFORCE on drawings of labelled and unlabelled photos (Williams, 1992), as arXiv 2103.13990 refines.

    -mean_i A_i log_prob_i / rows_i - entropy * H: drawings at temperature 1, scored by the distribution that drew them;
    A_i is the reward above the baseline in units of the batch's deviation, rows_i counts the points and the end row,
    and H is the mean entropy of the pen. Rows behind the end count nothing.

    Args:
        reward: What a drawing is worth; None for `Reward()`.
        baseline: What a reward is compared with; None for `BatchBaseline()`.
        entropy: Weight of the pen's entropy, at least 0.

    Raises:
        InputError: When a number is out of range.
    """

    def __init__(self, reward: Reward | None = None, baseline: Baseline | None = None, entropy: float = 0.01) -> None:
        super().__init__()
        must_be_in("PolicyGradient.entropy", entropy, "[0, inf)")
        self.reward = Reward() if reward is None else reward
        self.baseline = BatchBaseline() if baseline is None else baseline
        self.entropy = entropy

    def forward(self, inputs: Refinement) -> Tensor:
        """Draw, judge, and return the loss, a scalar."""
        generator = inputs.generator
        with torch.no_grad():
            drawing = generator.draw(inputs.photo, temperature=1.0)
            reward = self._judge(inputs, drawing)
            baseline = self.baseline(
                reward,
                lambda: generator.draw(inputs.photo, greedy=True),
                lambda other: self._judge(inputs, other),
            )
        scored = generator.log_prob(inputs.photo, drawing.rows, drawing.length, drawing.ended)
        return policy_loss(scored, advantages(reward, baseline)) - self.entropy * scored.entropy.mean()

    def _judge(self, inputs: Refinement, drawing: Drawing) -> Tensor:
        scale = float(inputs.generator.scale)
        return self.reward(inputs, images_of(drawing.rows, drawing.length, scale, inputs.size, inputs.line_width))


def policy_loss(scored: Drawing, advantage: Tensor) -> Tensor:
    """Loss whose gradient is the estimate of REINFORCE with its sign changed, a scalar.

    Args:
        scored: Drawings with the gradient of their log-probabilities.
        advantage: (B,), without gradient.
    """
    return -(advantage * scored.log_prob / (scored.length + scored.ended)).mean()
