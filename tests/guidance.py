"""Classifiers of photos and sketches, and free pixels that losses can move, for tests of the generators' losses."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from runs import SIZE, Teachers
from torch import nn

from crossx.backbones import build_network
from crossx.reconstruction.losses import Reconstruction, ReconstructionLoss
from crossx.teachers.card import TeacherCard, TeacherModality
from crossx.teachers.pair import TeacherPair
from crossx.teachers.teacher import save_teacher

PAIRS = 8


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


class Pixels(nn.Module):
    """Pairs whose images are parameters, judged by two teachers each on both modalities.

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
        return Reconstruction(pairs, self.teachers.vocabulary, crossed=self.teachers.crossed(photo, sketch))


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
