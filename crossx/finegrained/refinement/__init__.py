"""Refinement of a generator of drawings by what a retrieval model and a discriminator say of its drawings."""

from crossx.finegrained.refinement.base import Refinement, RefinementLoss, RefinementTerm, Reward
from crossx.finegrained.refinement.baselines import Baseline, BatchBaseline, GreedyBaseline
from crossx.finegrained.refinement.policy import PolicyGradient
from crossx.finegrained.refinement.soft import SoftReward

__all__ = [
    "Baseline",
    "BatchBaseline",
    "GreedyBaseline",
    "PolicyGradient",
    "Refinement",
    "RefinementLoss",
    "RefinementTerm",
    "Reward",
    "SoftReward",
]
