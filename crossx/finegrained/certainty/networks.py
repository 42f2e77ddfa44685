"""Networks that judge whether a sketch is a true sketch of a photo."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.finegrained.retrieval.frozen import FrozenEncoders


class PairNetwork(nn.Module, ABC):
    """Network that maps a photo and a sketch to one logit: positive for a true sketch of that very photo.

    A subclass that reads the features of the frozen retrieval model takes `teacher` as the first argument of its
    constructor; the joint run fills it in.
    """

    @abstractmethod
    def forward(self, photo: Tensor, sketch: Tensor) -> Tensor:
        """Judge pairs.

        Args:
            photo: (B, 3, H, W) in [0, 1].
            sketch: (B, 3, H, W) in [0, 1]; dark strokes on white.

        Returns:
            Logits, (B,).
        """


PairNetworkFactory = Callable[[FrozenEncoders], PairNetwork]
"""Builds a pair network on a frozen retrieval model, such as the class `SharedFeatures` or a partial of it."""


class TwoTowers(PairNetwork):
    """A tower of convolutions for each modality; both maps side by side go through three further ones.

    The published discriminator ("More Photos are All You Need", arXiv 2103.13990) judges the concatenated pair; its
    layers are not known, and these are our choice. Groups are normalised, so that there are no running statistics.

    Args:
        widths: Channels of a tower's convolutions, each of which halves the resolution; multiples of 4.

    Raises:
        InputError: When there is no width, or one is not a positive multiple of 4.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64)) -> None:
        super().__init__()
        if not widths or any(width < 1 or width % _GROUPS for width in widths):
            raise InputError(f"TwoTowers.widths: must be positive multiples of {_GROUPS}, got {list(widths)}")
        self.photo = _tower(widths)
        self.sketch = _tower(widths)
        width = widths[-1]
        self.joint = nn.Sequential(_conv(2 * width, width), _conv(width, width), _conv(width, width))
        self.last = nn.Linear(width, 1)

    def forward(self, photo: Tensor, sketch: Tensor) -> Tensor:
        """Judge pairs; see `PairNetwork.forward`."""
        maps = torch.cat([self.photo(2 * photo - 1), self.sketch(2 * sketch - 1)], 1)
        logits: Tensor = self.last(self.joint(maps).mean((2, 3)))
        return logits[:, 0]


class SharedFeatures(PairNetwork):
    """A small network on the embeddings of the frozen retrieval model, which costs hardly anything on CPUs.

    It reads [p, s, p * s, abs(p - s)] of the unit vectors of photo and sketch.

    Args:
        teacher: The frozen retrieval model.
        hidden: Width of the hidden layer, at least 1.

    Raises:
        InputError: When `hidden` is below 1.
    """

    def __init__(self, teacher: FrozenEncoders, hidden: int = 64) -> None:
        super().__init__()
        must_be_in("SharedFeatures.hidden", hidden, "[1, inf)")
        self.teacher = teacher
        features = 4 * teacher.photo.dim
        self.head = nn.Sequential(nn.LayerNorm(features), nn.Linear(features, hidden), nn.GELU(), nn.Linear(hidden, 1))

    def forward(self, photo: Tensor, sketch: Tensor) -> Tensor:
        """Judge pairs; see `PairNetwork.forward`."""
        p, s = self.teacher(photo, "photo"), self.teacher(sketch, "sketch")
        logits: Tensor = self.head(torch.cat([p, s, p * s, (p - s).abs()], 1))
        return logits[:, 0]


_GROUPS = 4


def _tower(widths: Sequence[int]) -> nn.Sequential:
    before = (3, *widths)
    return nn.Sequential(*(_conv(a, b, stride=2) for a, b in zip(before, widths, strict=False)))


def _conv(before: int, width: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, width, 3, stride, padding=1, bias=False), nn.GroupNorm(_GROUPS, width), nn.ReLU()
    )
