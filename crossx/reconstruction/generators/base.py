"""What a generator is."""

import inspect
from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from crossx.core.errors import InputError


class Generator(nn.Module, ABC):
    """Latent to image of one modality.

    Args:
        latent_dim: Z, length of the noise vector.

    Raises:
        InputError: When `latent_dim` is not positive.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 1:
            raise InputError(f"latent_dim: {latent_dim} is not legal; at least 1")
        self.latent_dim = latent_dim

    @abstractmethod
    def forward(self, noise: Tensor) -> Tensor:
        """Make images.

        Args:
            noise: (B, Z).

        Returns:
            (B, 3, S, S) in [0, 1].
        """

    def arguments(self) -> dict[str, Any]:
        """What the constructor was called with, for the file that keeps the weights."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
