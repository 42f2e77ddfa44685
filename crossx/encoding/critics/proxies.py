"""Class proxies: one vector a class and modality, in the encoders' space."""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossx.core.distributed import gather
from crossx.core.errors import InputError
from crossx.core.precision import full_precision
from crossx.encoding.losses.base import PairEmbeddings
from crossx.teachers.pair import TeacherPair
from crossx.types import MODALITIES, Modality


class Proxies(nn.Module, ABC):
    """Where each class lies in the encoders' space. Nothing learns them by gradient.

    Each modality has proxies of its own: where a loss leaves photos and sketches of a class in two places, both are
    right.
    """

    @abstractmethod
    def start_from(self, teachers: TeacherPair, dim: int) -> None:
        """Called once with the teachers and the encoders' D, before training."""

    def observe(self, embeddings: PairEmbeddings) -> None:
        """Called in every step of the encoders with the embeddings of its pairs; by default of no concern."""

    @abstractmethod
    def of(self, modality: Modality) -> tuple[Tensor, Tensor]:
        """Proxies of one modality.

        Returns:
            Vectors of any length, (U, D), without gradient, and which classes have one, (U,) bool.
        """


def class_means(embedding: Tensor, label: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Mean embedding of each class.

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


class Prototypes(Proxies):
    """Moving average of the embeddings of each class, by the teachers' most likely class.

    A class's first prototype is its mean in the batch where it first appears. They move in the encoders' steps only,
    by the batches of all processes together, so they are the same on all processes; they are part of the checkpoint.

    Args:
        momentum: Weight of the former prototype, in [0, 1).

    Raises:
        InputError: When the momentum is out of range.
    """

    def __init__(self, momentum: float = 0.9) -> None:
        super().__init__()
        if not 0 <= momentum < 1:
            raise InputError(f"proxies.momentum: {momentum} is not legal; from 0, below 1")
        self.momentum = momentum

    def start_from(self, teachers: TeacherPair, dim: int) -> None:
        """Make room for the union of the classes; no class has been seen."""
        classes = len(teachers.vocabulary)
        for modality in MODALITIES:
            self.register_buffer(f"{modality}_vectors", torch.zeros(classes, dim))
            self.register_buffer(f"{modality}_seen", torch.zeros(classes, dtype=torch.bool))

    @torch.no_grad()
    def observe(self, embeddings: PairEmbeddings) -> None:
        """Move the prototypes of the classes that are in the batch."""
        batch = {
            "photo": (embeddings.photo, embeddings.photo_posterior),
            "sketch": (embeddings.sketch, embeddings.sketch_posterior),
        }
        for modality in MODALITIES:
            vectors, seen = self.of(modality)
            embedding, posterior = (gather(x.detach(), "global") for x in batch[modality])
            means, present = class_means(embedding, posterior.argmax(dim=1), len(seen))
            kept = self.momentum * seen[:, None]
            # In place, because DDP holds on to the tensors that it found at the start.
            vectors.copy_(torch.where(present[:, None], kept * vectors + (1 - kept) * means, vectors))
            seen.logical_or_(present)

    def of(self, modality: Modality) -> tuple[Tensor, Tensor]:
        """Prototypes of the classes seen so far."""
        return self.get_buffer(f"{modality}_vectors"), self.get_buffer(f"{modality}_seen")
