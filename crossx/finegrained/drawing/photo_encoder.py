"""Encoder of the photo that is drawn: a map for the attention, and one vector for the latent."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from crossx.core.checks import must_be_in
from crossx.networks.build import build_network, card_name, without_classifier
from crossx.networks.preprocessing import InputFormat, Interpolation, Preprocessing, sides
from crossx.teachers.teacher import load_teacher


class PhotoEncoder2D(nn.Module):
    """Convolutional features of a photo with a learnt code of their places, and their largest values over all places.

    The first stage of "More Photos are All You Need" (arXiv 2103.13990), with any network of crossx that has a map.

    Args:
        teacher: Teacher file whose network, preprocessing and weights it starts with, without the classifier; all is
            trained. None for the network below.
        network: Name of a network of crossx, or `timm:<model name>`.
        arguments: Arguments of the network.
        input_size: Side of the network's input in pixels, or height and width, at least 1.
        mean: Subtracted from the channels of an image in [0, 1].
        std: Divides the channels afterwards.
        interpolation: How photos are resized.
        crop: See `InputFormat`.
        pretrained: Start from timm's weights.

    Attributes:
        channels: Channels C of the map, and the width of the vector.
        cells: Height and width of the map.

    Raises:
        InputError: When the teacher or the network cannot be built, or has no map of features.
    """

    def __init__(
        self,
        teacher: str | None = None,
        network: str = "SmallResNet",
        arguments: dict[str, Any] | None = None,
        input_size: int | tuple[int, int] = 64,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.5, 0.5, 0.5),
        interpolation: Interpolation = "bilinear",
        crop: float = 1.0,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        must_be_in("input_size", min(sides(input_size)), "[1, inf)")
        self.format = InputFormat(input_size, tuple(mean), tuple(std), interpolation, crop)
        self.name, self.network_arguments = network, dict(arguments or {})
        if teacher is None:
            self.network = build_network(network, self.network_arguments, 0, pretrained)
        else:
            given = load_teacher(teacher, "teacher")
            self.format = given.card.input_format
            self.name, self.network_arguments = given.card.network, dict(given.card.arguments)
            self.network = without_classifier(self.name, self.network_arguments, given.network.state_dict())
        self.preprocessing = Preprocessing(*self.format)
        with torch.no_grad():  # in eval mode, so that no running statistic moves
            seen = self.network.eval().map(self.preprocessing(torch.zeros(1, 3, 8, 8)))
        self.train()
        _, self.channels, *cells = seen.shape
        self.cells = (int(cells[0]), int(cells[1]))
        self.place = nn.Parameter(0.02 * torch.randn(self.channels, *self.cells))

    def arguments(self) -> dict[str, Any]:
        """Arguments that build an encoder of the same form, without its weights."""
        return {
            "network": card_name(self.name),
            "arguments": self.network_arguments,
            "input_size": self.format.size,
            "mean": list(self.format.mean),
            "std": list(self.format.std),
            "interpolation": self.format.interpolation,
            "crop": self.format.crop,
        }

    def forward(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the map, (B, C, h, w), and its largest values, (B, C), of photos in [0, 1], (B, 3, H, W)."""
        features = self.network.map(self.preprocessing(photos))
        return features + self.place, features.amax((2, 3))
