"""Accuracy of a classifier over the images of all processes."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class ImageAccuracy(Metric):
    """Share of the images that are classified rightly, each counted once.

    Samplers of several processes give some images twice, so that all processes get equally many; an image is known by
    its index.
    """

    full_state_update = False
    index: list[Tensor]
    right: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("index", [], dist_reduce_fx="cat")
        self.add_state("right", [], dist_reduce_fx="cat")

    def update(self, logits: Tensor, label: Tensor, index: Tensor) -> None:
        """Add a batch.

        Args:
            logits: (B, K).
            label: (B,) int64.
            index: (B,) int64, number of each image in its part of the data.
        """
        self.index.append(index)
        self.right.append(logits.argmax(1) == label)

    def compute(self) -> Tensor:
        """Return the accuracy in [0, 1], a scalar."""
        index, right = dim_zero_cat(self.index), dim_zero_cat(self.right)
        images, place = torch.unique(index, return_inverse=True)
        once = torch.zeros(len(images), device=index.device)
        once[place] = right.float()
        return once.mean()
