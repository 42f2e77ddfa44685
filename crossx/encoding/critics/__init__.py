"""Critics: what the generators' adversary may ask of the encoders, one file each."""

from crossx.encoding.critics.base import PairCritic
from crossx.encoding.critics.distance import DistanceCritic
from crossx.encoding.critics.last_layer import LastLayerCritic
from crossx.encoding.critics.margin import MarginCritic
from crossx.encoding.critics.proxies import Prototypes, Proxies
from crossx.encoding.critics.proxy import ProxyCritic

__all__ = ["DistanceCritic", "LastLayerCritic", "MarginCritic", "PairCritic", "Prototypes", "Proxies", "ProxyCritic"]
