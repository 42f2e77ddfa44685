"""What a discriminator says of photos that nothing was trained on: measures, and the temperature of its certainties."""

from dataclasses import dataclass

import torch
from torch import Tensor

from crossx.core.seeding import Stream, philox, run_seed
from crossx.data.base import LabelledImages
from crossx.finegrained.certainty.discriminator import PairDiscriminator
from crossx.finegrained.certainty.measures import area_under_curve, spearman
from crossx.finegrained.drawing.generator import DrawingGenerator, drawing_noise
from crossx.finegrained.images import InstanceImages
from crossx.finegrained.rendering import images_of

MOST_PHOTOS = 256
"""Photos that are judged at most: drawing them takes a second or two of a CPU."""


@dataclass
class HeldOutPairs:
    """Photos of the validation part, each with a true sketch and a drawing.

    Attributes:
        photo: (N, 3, H, W) float32 in [0, 1].
        sketch: (N, 3, H, W).
        drawing: (N, 3, H, W).
        ended: Whether the generator ended each drawing by itself, (N,) bool.
    """

    photo: Tensor
    sketch: Tensor
    drawing: Tensor
    ended: Tensor


@dataclass
class CertaintyMeasures:
    """How far certainties of held-out pairs can be believed.

    Attributes:
        real: Certainties of true pairs, (N,) on the CPU.
        generated: Certainties of drawings of the same photos, (N,) on the CPU.
        spearman: Rank correlation of the drawings' certainties with how well the retrieval model finds their own
            photos by them; positive where certain drawings find them.
    """

    real: Tensor
    generated: Tensor
    spearman: float

    @property
    def values(self) -> dict[str, float]:
        """Measures by name: area under the ROC curve, mean certainty of drawings, and the rank correlation."""
        return {
            "certainty_auc": area_under_curve(self.real, self.generated),
            "certainty_mean": float(self.generated.mean()),
            "certainty_spearman": self.spearman,
        }


@torch.no_grad()
def held_out_pairs(
    photos: LabelledImages,
    sketches: InstanceImages,
    generator: DrawingGenerator,
    temperature: float,
    width: float,
    device: torch.device,
    half: int,
) -> HeldOutPairs:
    """Draw half of the first photos that have a sketch; each photo's first sketch stands for its true ones.

    One half fits a temperature, and the other measures it; a single photo is both. The same call with the same weights
    draws the same, in every process and at any time of a run.

    Args:
        photos: All photos of the validation part.
        sketches: All its sketches.
        generator: What draws.
        temperature: Of the drawings.
        width: Line width of the drawings in pixels.
        device: Where the generator is.
        half: 0 or 1: every second photo from there on.
    """
    first: dict[int, int] = {}
    for j, i in enumerate(sketches.own.tolist()):
        first.setdefault(i, j)
    chosen = sorted(first.items())[:MOST_PHOTOS]
    chosen = chosen if len(chosen) < 2 else chosen[half::2]
    photo = torch.stack([photos.image(i) for i, _ in chosen]).to(device).float() / 255
    sketch = torch.stack([sketches.image(j) for _, j in chosen]).to(device).float() / 255
    noise = drawing_noise([philox(run_seed(), i, Stream.HELD_OUT) for i, _ in chosen], generator.max_points)
    drawing = generator.draw(photo, temperature, noise=noise)
    drawn = images_of(drawing.rows, drawing.length, float(generator.scale), photo.shape[-1], width)
    return HeldOutPairs(photo, sketch, drawn, drawing.ended)


@torch.no_grad()
def judge(pairs: HeldOutPairs, discriminator: PairDiscriminator, photo: Tensor, drawing: Tensor) -> CertaintyMeasures:
    """Measure the certainties of held-out pairs.

    Args:
        pairs: N photos with their true sketches and their drawings.
        discriminator: What judges them.
        photo: Unit vectors of the photos by the retrieval model that learns from the drawings, (N, D).
        drawing: Those of the drawings, (N, D).
    """
    generated = discriminator.certainty(pairs.photo, pairs.drawing).cpu()
    scores = drawing @ photo.T
    rank = (scores >= scores.diagonal()[:, None]).sum(1).cpu()
    real = discriminator.certainty(pairs.photo, pairs.sketch).cpu()
    return CertaintyMeasures(real, generated, spearman(generated, -rank))
