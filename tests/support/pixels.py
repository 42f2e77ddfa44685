"""Inputs of the generators' losses: free pixels that a loss can move, and real images."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from crossx.data.shapes.dataset import ShapesDataset
from crossx.networks.build import build_network
from crossx.reconstruction.generators import UpsamplingGenerator
from crossx.reconstruction.losses import (
    BatchNormStatisticsLoss,
    DiscriminatorGuidanceLoss,
    Reconstruction,
    ReconstructionLoss,
    StatisticsGuidanceLoss,
)
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule
from crossx.teachers.card import TeacherCard, TeacherModality
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import save_teacher
from support.runs import MODALITIES, SGD, SIZE, Teachers

PAIRS = 8

SHAPES = Teachers("crossx:assets/shapes_photo.safetensors", "crossx:assets/shapes_sketch.safetensors")
"""Trained teachers."""


def real_images() -> tuple[Tensor, Tensor]:
    """80 real photos and 80 real sketches that the trained teachers have not seen, (80, 3, 32, 32), in no order."""
    dataset = ShapesDataset(size=32, train=2, validation=8, test=2)
    order = torch.randperm(80, generator=torch.Generator().manual_seed(0)).tolist()
    lists = (dataset.images(modality, "validation") for modality in MODALITIES)
    photo, sketch = (torch.stack([images[i].image for i in order]) for images in lists)
    return photo, sketch


def save_discriminator(
    path: Path,
    classes: Sequence[str] = ("photo", "sketch"),
    modality: TeacherModality = "modality",
    norm: Literal["batch", "group"] = "batch",
    seed: int = 5,
) -> str:
    """An untrained classifier of photos and sketches, or of what else it should know."""
    torch.manual_seed(seed)
    arguments = {"widths": [8, 8], "norm": norm}
    network = build_network("SmallResNet", arguments, len(classes))
    network.get_parameter("head.weight").data.mul_(20)  # so that what it says depends on the image
    card = TeacherCard(modality, "SmallResNet", tuple(classes), SIZE, (0.5,) * 3, (0.5,) * 3, arguments)
    save_teacher(path, network, card)
    return str(path)


def guided(teachers: Teachers, discriminator: str) -> ReconstructionModule:
    """Generators with the terms that compare whole batches, hold a network, or need the other modality's teacher."""
    torch.manual_seed(0)
    generator = partial(UpsamplingGenerator, size=SIZE, latent_dim=8, width=8, norm="group")
    terms = {
        "statistics": ReconstructionTerm(BatchNormStatisticsLoss()),
        "guidance": ReconstructionTerm(StatisticsGuidanceLoss),
        "discriminator": ReconstructionTerm(DiscriminatorGuidanceLoss(discriminator), 0.5),
    }
    return ReconstructionModule(*teachers, generator, terms, optimizer=SGD)


class Pixels(nn.Module):
    """Pairs whose images are parameters, with the outputs of two teachers on both modalities.

    Args:
        teachers: The teachers' files.
        count: Number of pairs.
    """

    def __init__(self, teachers: Teachers, count: int = PAIRS) -> None:
        super().__init__()
        self.teachers = TeacherPair(*teachers)
        torch.manual_seed(6)
        self.pixels = nn.Parameter(torch.randn(2, count, 3, SIZE, SIZE))

    def forward(self, chosen: slice = slice(None)) -> Reconstruction:
        """All pairs, or some of them."""
        photo, sketch = self.pixels[:, chosen].sigmoid()
        pairs = self.teachers(photo, sketch, statistics=True)
        return Reconstruction(pairs, self.teachers.vocabulary, swapped=self.teachers.swapped(photo, sketch, 4))


def train(images: Pixels, loss: ReconstructionLoss, steps: int = 200, batch: int | None = None) -> None:
    """Let a loss alone move the pixels, in batches that take turns, or all at once."""
    optimizer = torch.optim.Adam([images.pixels], lr=0.05)
    slices = _slices(images.pixels.shape[1], batch)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(images(next(slices))).backward()
        optimizer.step()


def _slices(count: int, batch: int | None) -> Iterator[slice]:
    width = count if batch is None else batch
    while True:
        yield from (slice(start, start + width) for start in range(0, count, width))
