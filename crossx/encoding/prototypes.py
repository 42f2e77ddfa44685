"""Class prototypes: where each class lies in the encoders' space, and the class posterior of an embedding."""

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.precision import full_precision


def class_means(embedding: Tensor, label: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return the mean embedding of each class.

    Args:
        embedding: (B, D).
        label: (B,) int64.
        classes: U.

    Returns:
        Means, (U, D), zero for a class without a row, and which classes have one, (U,) bool.
    """
    with torch.autocast(embedding.device.type, enabled=False):
        embedding = full_precision(embedding)
        member = F.one_hot(label, classes).to(embedding.dtype)
        count = member.sum(dim=0)
        return member.T @ embedding / count.clamp_min(1)[:, None], count > 0


def prototype_log_posterior(embedding: Tensor, prototypes: Tensor, present: Tensor, temperature: float) -> Tensor:
    """Logarithm of an embedding's class posterior: the softmax over its cosines to the class prototypes.

    Args:
        embedding: (B, D).
        prototypes: (U, D), of any length.
        present: Which classes have a prototype, (U,) bool.
        temperature: Divides the cosines, > 0.

    Returns:
        (B, U) in nats; a finite number below all others for a class without prototype.
    """
    # Autocast would multiply in half precision, and a temperature of 0.1 enlarges the error 10 times.
    with torch.autocast(embedding.device.type, enabled=False):
        unit, directions = (F.normalize(full_precision(x), dim=1) for x in (embedding, prototypes))
        logits = unit @ directions.T / temperature
    # Not -inf: before any class has a prototype, a softmax over nothing but -inf is NaN, and so are its gradients.
    return torch.log_softmax(logits.masked_fill(~present, torch.finfo(logits.dtype).min), dim=1)
