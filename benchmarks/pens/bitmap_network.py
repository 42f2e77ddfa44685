"""A small network for drawings of 28 px, as strangers write them."""

import torch.nn.functional as F
from torch import Tensor, nn

from crossx.networks.base import Network

SIZE = 28
"""Side of the bitmaps in pixels."""


class BitmapNetwork(Network):
    """Two convolutions and a hidden layer for one channel of 28 px, without BatchNorm.

    Args:
        num_classes: Number K of classes; 0 for an encoder.
    """

    def __init__(self, num_classes: int = 0) -> None:
        super().__init__()
        self.num_features, self.num_classes = 128, num_classes
        self.first, self.second = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
        self.hidden = nn.Linear(64 * (SIZE // 4) ** 2, 128)
        self.last = nn.Linear(128, num_classes) if num_classes else nn.Identity()

    def pooled(self, x: Tensor) -> Tensor:
        """Compute the features, (B, 128)."""
        for layer in (self.first, self.second):
            x = F.max_pool2d(layer(x).relu(), 2)
        return F.relu(self.hidden(x.flatten(1)))

    def classify(self, features: Tensor) -> Tensor:
        """Map features to logits, (B, K)."""
        logits: Tensor = self.last(features)
        return logits
