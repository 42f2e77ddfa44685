"""What a drawing is worth, as pure functions of what the frozen models say of it."""

import torch
from torch import Tensor

from crossx.finegrained.retrieval.losses.base import distances, other_instances


def retrieval_reward(sketch: Tensor, photo: Tensor, instance: Tensor, margin: float) -> Tensor:
    """Reward for a drawing that lies nearer to its own photo than to all others: 0 at best, else below 0.

    -max(0, margin + d(s_i, p_i) - min_n d(s_i, p_n)), with d the Euclidean distance and n a photo of another instance
    in the batch. A drawing without such a photo gets 0.

    Args:
        sketch: Unit vectors of the drawings, (B, D).
        photo: Unit vectors of their photos, (B, D).
        instance: Which object each photo shows, (B,) int64.
        margin: Difference of distances from which on there is nothing to gain.

    Returns:
        (B,) in [-2 - margin, 0], with gradient to the vectors.
    """
    distance = distances(sketch, photo)
    nearest = distance.masked_fill(~other_instances(instance), torch.inf).amin(1)
    return -(margin + distance.diagonal() - nearest).clamp_min(0)


def advantages(reward: Tensor, baseline: Tensor) -> Tensor:
    """Rewards above a baseline in units of the batch's standard deviation.

    Args:
        reward: (B,).
        baseline: (B,), or a number for all.

    Returns:
        (B,), without gradient.
    """
    advantage = (reward - baseline).detach()
    return advantage / (advantage.std(correction=0) + _LEAST_DEVIATION)


_LEAST_DEVIATION = 1e-3
"""Keeps the noise of rewards that are all alike from becoming a gradient of full size."""
