"""Class scores of an embedding: how near it lies to the mean embedding of each class."""

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.errors import InputError


def class_prototypes(embeddings: Tensor, classes: Tensor, count: int) -> Tensor:
    """The mean direction of each class (prototypical networks, arXiv 1703.05175).

    Args:
        embeddings: Unit vectors, (N, D).
        classes: Class of each, (N,) int64.
        count: U, number of classes.

    Returns:
        (U, D) float32 unit vectors; 0 for a class without any embedding.
    """
    embeddings = embeddings.float()
    sums = embeddings.new_zeros(count, embeddings.shape[1]).index_add_(0, classes, embeddings)
    return F.normalize(sums, dim=1)


def prototype_posterior(embeddings: Tensor, prototypes: Tensor, temperature: float) -> Tensor:
    """Softmax of the cosines between embeddings and prototypes.

    Args:
        embeddings: Unit vectors, (N, D).
        prototypes: (U, D), as `class_prototypes` gives them.
        temperature: Divides the cosines, which lie within [-1, 1]; above 0.

    Returns:
        (N, U) float32, rows sum to 1; 0 for classes without a prototype.

    Raises:
        InputError: When the temperature is not positive, or no class has a prototype.
    """
    if not temperature > 0:
        raise InputError(f"temperature: {temperature} is not legal; a positive number")
    present = prototypes.any(dim=1)
    if not present.any():
        raise InputError("prototypes: no class has one; give embeddings of at least one class")
    cosines = embeddings.float() @ prototypes.float().T / temperature
    return torch.softmax(cosines.masked_fill(~present, -torch.inf), dim=1)
