"""Networks in two parts, features and classifier, with their preprocessing, BatchNorm tools and freezing."""

from crossx.networks.base import Network, last_layer
from crossx.networks.build import build_network
from crossx.networks.small_resnet import SmallResNet
from crossx.networks.timm_network import TimmNetwork

__all__ = ["Network", "SmallResNet", "TimmNetwork", "build_network", "last_layer"]
