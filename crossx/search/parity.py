"""Whether an exported file computes what torch computes."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from crossx.core.errors import InputError
from crossx.data.redrawn import redrawn
from crossx.data.shapes.dataset import ShapesDataset
from crossx.encoding.encoders import Encoder
from crossx.pixels.fit import U8
from crossx.pixels.pen import Pen
from crossx.search.predictor import Embedded
from crossx.types import Modality

BATCHES = (1, 7, 64)
"""Sizes of the batches that are compared; none is the one that is traced."""
MOST_DIFFERENCE, MOST_ANGLE = 1e-5, 1e-6
"""Largest difference of a coordinate, and of a cosine from 1."""
_POSTERIOR_DIFFERENCE = 1e-4
"""Largest difference of a class probability, which is shown and never ranks."""
_TOGETHER = 64
"""Images that a CPU embeds at once."""


class Examples(NamedTuple):
    """Images that both sides embed.

    Attributes:
        images: Drawn images, uint8 (N, 3, S, S), N at least the largest batch.
        noise: Noise, likewise.
    """

    images: U8
    noise: U8


class Parity(NamedTuple):
    """How far two files' vectors lie apart.

    Attributes:
        difference: Largest difference of a coordinate.
        one_minus_cosine: Largest 1 - cos.
    """

    difference: float
    one_minus_cosine: float


def examples_of(modality: Modality, size: int, pen: Pen | None) -> Examples:
    """Images of the embedded data set, as the encoder gets them, and noise.

    Args:
        modality: Modality of the images.
        size: Side S in pixels.
        pen: Pen of the sketch teacher.
    """
    each = -(-max(BATCHES) // len(ShapesDataset.classes))
    images = redrawn(ShapesDataset(size=size, test=each), pen).images(modality, "test")
    order = np.random.default_rng(0).permutation(len(images))[: max(BATCHES)]
    drawn = np.stack([images.image(int(i)).numpy() for i in order])
    return Examples(drawn, np.random.default_rng(1).integers(0, 256, drawn.shape, dtype=np.uint8))


@torch.no_grad()
def torch_embed(encoder: Encoder, images: U8, device: str = "cpu") -> Embedded:
    """Embed images, uint8 (B, 3, S, S), by torch in float32; a GPU embeds all at once."""
    vectors, posteriors = [], []
    together = _TOGETHER if device == "cpu" else max(1, len(images))
    for start in range(0, len(images), together):
        pixels = torch.from_numpy(np.ascontiguousarray(images[start : start + together])).to(device)
        embedding = encoder.embed(pixels.float() / 255, None)
        vectors.append(embedding.unit.cpu().numpy())
        if embedding.posterior is not None:
            posteriors.append(embedding.posterior.float().cpu().numpy())
    return Embedded(np.concatenate(vectors), np.concatenate(posteriors) if posteriors else None)


def check_parity(encoder: Encoder, path: Path, examples: Examples) -> Parity:
    """Compare an ONNX file, read back, with the encoder that it was made of.

    Args:
        encoder: The encoder.
        path: The file.
        examples: Images to embed.

    Raises:
        InputError: When vectors or posteriors differ by more than rounding.
    """
    from crossx.search.onnx_run import onnx_run  # needs the extra `onnx`

    run = onnx_run(path, threads=1)
    difference = angle = of_posterior = 0.0
    for images in examples:
        expected = torch_embed(encoder, images)
        for batch in BATCHES:
            found = run(images[:batch])
            wanted = expected.vectors[:batch].astype(np.float64)
            difference = max(difference, _largest(found.vectors - wanted))
            angle = max(angle, _largest(1 - (found.vectors.astype(np.float64) * wanted).sum(axis=1)))
            if expected.posterior is not None and found.posterior is not None:
                of_posterior = max(of_posterior, _largest(found.posterior - expected.posterior[:batch]))
    if of_posterior > _POSTERIOR_DIFFERENCE:
        raise InputError(
            f"onnx: {type(encoder).__name__}: class probabilities must differ by at most {_POSTERIOR_DIFFERENCE:g} "
            f"from torch, got {of_posterior:.2g}; nothing is written"
        )
    if difference > MOST_DIFFERENCE or angle > MOST_ANGLE:
        raise InputError(
            f"onnx: {type(encoder).__name__}: vectors must differ by at most {MOST_DIFFERENCE:g} from torch, and their "
            f"cosine from 1 by {MOST_ANGLE:g}, got {difference:.2g} and {angle:.2g}; nothing is written"
        )
    return Parity(difference, angle)


def _largest(values: np.ndarray) -> float:
    """Largest absolute value; infinite where one is not a number."""
    return float(np.nan_to_num(np.abs(values), nan=np.inf).max(initial=0.0))
