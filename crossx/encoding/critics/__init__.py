"""Critics, which measure how hard generated pairs are for the encoders, one file each."""

from crossx.encoding.critics.base import CriticFactory, PairCritic
from crossx.encoding.critics.distance import DistanceCritic
from crossx.encoding.critics.last_layer import LastLayerCritic

__all__ = ["CriticFactory", "DistanceCritic", "LastLayerCritic", "PairCritic"]
