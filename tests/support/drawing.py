"""A small generator of drawings, and drawings for it."""

from functools import partial
from typing import Literal

import torch
from torch import Tensor

from crossx.finegrained.drawing.decoder import StrokeDecoder
from crossx.finegrained.drawing.generator import DrawingGenerator
from crossx.finegrained.drawing.photo_encoder import PhotoEncoder2D
from crossx.finegrained.types import FiveBatch

SIZE = 16
LENGTHS = (3, 5, 8, 4, 6, 9, 7, 2)


def drawing_generator(
    attention: Literal["input", "output"] = "output", hidden: int = 24, max_points: int = 20, seed: int = 0
) -> DrawingGenerator:
    """An untrained generator for 16 px with a map of 8x8, which knows its scale."""
    torch.manual_seed(seed)
    encoder = PhotoEncoder2D(arguments={"widths": [8, 8], "norm": "group"}, input_size=SIZE)
    decoder = partial(StrokeDecoder, hidden=hidden, components=3, attention=attention, width=8, dropout=0.0)
    generator = DrawingGenerator(encoder, decoder, latent=8, max_points=max_points)
    generator.scale.fill_(0.1)
    return generator


def photos(count: int = len(LENGTHS), seed: int = 0) -> Tensor:
    """Photos of four patches each, so that they differ at a glance."""
    patches = torch.rand(count, 3, 2, 2, generator=torch.Generator().manual_seed(seed))
    return patches.repeat_interleave(SIZE // 2, 2).repeat_interleave(SIZE // 2, 3)


def drawings(seed: int = 0) -> FiveBatch:
    """Eight random drawings on a grid, of 2 to 9 points, one lift in the middle of each and one at its end."""
    source = torch.Generator().manual_seed(seed)
    rows = torch.zeros(len(LENGTHS), max(LENGTHS) + 1, 5)
    rows[..., 4] = 1
    for own, length in zip(rows, LENGTHS, strict=True):
        own[:length, :2] = torch.randint(-1, 2, (length, 2), generator=source).float()
        own[:length, 2:] = torch.tensor([1.0, 0, 0])
        own[[length // 2, length - 1], 2:] = torch.tensor([0.0, 1, 0])
    return FiveBatch(rows, torch.tensor(LENGTHS), 0.1)
