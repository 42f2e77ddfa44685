"""What a generator is, and how a wanted class gets into its latent."""

import inspect
import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from crossx.core.errors import InputError


class Generator(nn.Module, ABC):
    """Latent to image of one modality.

    Args:
        latent_dim: Z, length of the noise vector.
        classes: K of a class-conditional generator; 0 for an unconditional one, which finds classes by itself.
        mixture: Largest share of a second class in what a class-conditional generator is told; see `conditioned`.

    Attributes:
        first_layers: Names of the submodules that turn the latent into a first image; those alone may be drawn anew.

    Raises:
        InputError: When a number is out of range.
    """

    first_layers: tuple[str, ...] = ()

    def __init__(self, latent_dim: int, classes: int = 0, mixture: float = 0.0) -> None:
        super().__init__()
        if latent_dim < 1:
            raise InputError(f"latent_dim: {latent_dim} is not legal; at least 1")
        if classes < 0:
            raise InputError(f"classes: {classes} is not legal; 0 (unconditional) or the number of classes")
        if not 0 <= mixture <= 0.5:
            raise InputError(f"mixture: {mixture} is not legal; from 0 to 0.5, so that the wanted class weighs more")
        if mixture and (classes < 2 or latent_dim < 2):
            raise InputError(
                f"mixture: {mixture} is not legal beside classes = {classes} and latent_dim = {latent_dim}; it needs "
                "at least 2 of both"
            )
        self.latent_dim = latent_dim
        self.classes = classes
        self.mixture = mixture

    @abstractmethod
    def forward(self, noise: Tensor, target: Tensor) -> Tensor:
        """Make images.

        Args:
            noise: (B, Z).
            target: Wanted classes as indices into the union, (B,); ignored by an unconditional generator.

        Returns:
            (B, 3, S, S) in [0, 1].
        """

    def arguments(self) -> dict[str, Any]:
        """What the constructor was called with, for the file that keeps the weights."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}


def conditioned(noise: Tensor, target: Tensor, embed: nn.Embedding | None, mixture: float = 0.0) -> Tensor:
    """Noise that also says which class is wanted.

    With a mixture, the class's vector has a share of another class's in it. Share and other class are functions of the
    noise (its first two numbers), so that the photo and the sketch of one latent mix the same classes in the same way,
    and a latent always means the same image. The wanted class stays the one with the larger share.

    Args:
        noise: (B, Z), standard normal.
        target: (B,) indices of classes.
        embed: A vector (Z,) for each class; None leaves the noise as it is.
        mixture: Largest share of the second class, in [0, 0.5]; the share is uniform between 0 and it.

    Returns:
        (B, Z); each number has unit variance as long as those of `embed` do.
    """
    if embed is None:
        return noise
    vectors: Tensor = embed(target)
    if mixture:
        uniform = torch.special.ndtr(noise[:, :2])
        share = mixture * uniform[:, :1]
        others = embed.num_embeddings - 1
        other = (target + 1 + (uniform[:, 1] * others).long().clamp(max=others - 1)) % embed.num_embeddings
        vectors = ((1 - share) * vectors + share * embed(other)) / (share**2 + (1 - share) ** 2).sqrt()
    return (noise + vectors) / math.sqrt(2)
