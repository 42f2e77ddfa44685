"""The interface of a network: features and classifier, so that one forward gives both.

The teachers, the encoders and the classifiers that crossx trains are all a `Network`. A further architecture is a
subclass; once its module is imported, cards and configs may name it.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Network(nn.Module, ABC):
    """A classifier in two parts: `pooled` gives features, `classify` turns them into logits.

    Attributes:
        num_features: Width F of the pooled features.
        num_classes: Number K of classes; 0 for an encoder, whose `classify` returns the features.
    """

    num_features: int
    num_classes: int

    @abstractmethod
    def pooled(self, x: Tensor) -> Tensor:
        """Normalised images, (B, 3, H, W), to features, (B, F)."""

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Features, (B, F), to logits, (B, K)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalised images, (B, 3, H, W), to logits, (B, K)."""
        return self.classify(self.pooled(x))


@torch.no_grad()
def last_layer(network: Network) -> Tensor | None:
    """Weight of a network's classifier, (K, F) float32, one row a class, whatever it is called there.

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
