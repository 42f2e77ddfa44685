"""Interface of networks: features and classifier, so that one forward gives both.

Teachers, encoders and the classifiers that crossx trains hold a `Network`. Another architecture is a subclass; cards
and configs may name it by its dotted path (`my_package.networks.MyNet`) once its module is imported.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.networks.preprocessing import InputFormat


class Network(nn.Module, ABC):
    """A classifier in two parts: `pooled` computes features, `classify` maps them to logits.

    Attributes:
        num_features: Width F of the pooled features.
        num_classes: Number K of classes; 0 for an encoder, whose `classify` returns the features.
        input_format: What the network's weights learned to take as input; None where they start at random.
    """

    num_features: int
    num_classes: int
    input_format: InputFormat | None = None

    @abstractmethod
    def pooled(self, x: Tensor) -> Tensor:
        """Compute the features, (B, F), of normalised images, (B, 3, H, W)."""

    def map(self, x: Tensor) -> Tensor:
        """Compute the features before they are pooled, (B, C, h, w), of normalised images, (B, 3, H, W).

        Raises:
            InputError: When the network has no such map, which is the default.
        """
        raise InputError(f"network: must have a map of features to look at, and {type(self).__name__} has none")

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Map features, (B, F), to logits, (B, K)."""

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits, (B, K), of normalised images, (B, 3, H, W)."""
        return self.classify(self.pooled(x))


@torch.no_grad()
def last_layer(network: Network) -> Tensor | None:
    """Weight of a network's classifier, (K, F) float32, found without knowing its name.

    Returns:
        None when the classifier is more than one linear layer.
    """
    parameter = next(network.parameters())
    unit = torch.eye(network.num_features, device=parameter.device, dtype=parameter.dtype)
    bias = network.classify(torch.zeros_like(unit[:1]))
    weight = (network.classify(unit) - bias).T
    probe = 3 * torch.linspace(-9, 9, len(unit), device=unit.device, dtype=unit.dtype).sin()[None]
    linear = torch.allclose(network.classify(probe), probe @ weight.T + bias, rtol=1e-3, atol=1e-4)
    return weight.float() if linear else None
