"""Contrast of two views of a photo, which needs neither sketches nor labels."""

import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.finegrained.retrieval.embeddings import InstanceEmbeddings
from crossx.finegrained.retrieval.losses.base import InstanceLoss
from crossx.finegrained.retrieval.losses.nce import both_directions


class PhotoContrast(InstanceLoss):
    """InfoNCE of two views of each unlabelled photo (SimCLR, arXiv 2002.05709, without its head).

    Args:
        temperature: Divides the cosines, > 0.

    Raises:
        InputError: When the temperature is not positive.
    """

    needs_free = True
    needs_views = True

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        must_be_in("temperature", temperature, "(0, inf)")
        self.temperature = temperature

    def forward(self, embeddings: InstanceEmbeddings) -> Tensor:
        """Return the mean over unlabelled photos, >= 0 in nats."""
        free = embeddings.gathered().free
        if free is None or free.view is None:
            raise InputError("PhotoContrast: needs two views of unlabelled photos; name model.photo_views")
        weight = torch.ones(len(free.photo), device=free.photo.device)
        return both_directions(free.photo, free.view, free.instance, weight, self.temperature)
