"""What a generator is."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from crossx.core.checks import must_be_in, must_be_one_of
from crossx.types import MODALITIES, Modality


class Generator(nn.Module, ABC):
    """Latent to image of one modality.

    A subclass takes `modality` as the first argument of its constructor.

    Args:
        modality: Modality of the images. A sketch has one channel, which is repeated.
        latent_dim: Z, length of the noise vector.

    Raises:
        InputError: When `latent_dim` is not positive.
    """

    def __init__(self, modality: Modality, latent_dim: int) -> None:
        super().__init__()
        must_be_one_of("generator.modality", modality, MODALITIES)
        must_be_in("generator.latent_dim", latent_dim, "[1, inf)")
        self.modality: Modality = modality
        self.latent_dim = latent_dim

    @property
    def channels(self) -> int:
        """Channels that the last layer makes: 3 for photos, 1 for sketches."""
        return 3 if self.modality == "photo" else 1

    @abstractmethod
    def forward(self, noise: Tensor) -> Tensor:
        """Make images.

        Args:
            noise: (B, Z).

        Returns:
            (B, 3, S, S) in [0, 1].
        """

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, for the file that keeps the weights."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}


GeneratorFactory = Callable[[Modality], Generator]
"""Builds a generator of a modality, such as the class `UpsamplingGenerator` or a partial of it."""
