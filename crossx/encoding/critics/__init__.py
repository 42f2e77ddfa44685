"""Critics: what the generators' adversary may ask of the encoders, one file each."""

from crossx.encoding.critics.base import PairCritic
from crossx.encoding.critics.distance import DistanceCritic
from crossx.encoding.critics.margin import MarginCritic
from crossx.encoding.critics.proxies import Prototypes, Proxies, TeacherProxies
from crossx.encoding.critics.proxy import ProxyCritic

__all__ = ["DistanceCritic", "MarginCritic", "PairCritic", "Prototypes", "Proxies", "ProxyCritic", "TeacherProxies"]
