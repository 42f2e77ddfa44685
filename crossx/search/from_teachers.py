"""An encoder from two classifiers, without any training."""

import torch

from crossx.data.shapes.dataset import ShapesDataset
from crossx.encoding.specs import build_encoders
from crossx.networks.preprocessing import sides
from crossx.search.stored import StoredEncoders
from crossx.teachers.pair import TeacherPair

_ENCODERS = "crossx.encoding.encoders"
_PHOTOS = 25
"""Procedural photos of each shape that the statistics of photos' features are taken of: 250 in all."""


def _composite(temperature: float, soft_weight: float, reading_weight: float) -> dict[str, object]:
    """The encoder of configs/model/composite.yaml without the part that trains."""
    posterior = f"{_ENCODERS}.PosteriorEncoder"
    sharp = {"class_path": posterior, "init_args": {"temperature": temperature}}
    soft = {"class_path": posterior, "init_args": {"temperature": 4.0}}
    parts = {
        "posterior": {"encoder": sharp, "weight": 1.0},
        "soft": {"encoder": soft, "weight": soft_weight},
        "reading": {"encoder": {"class_path": f"{_ENCODERS}.ReadingEncoder"}, "weight": reading_weight},
    }
    return {"class_path": f"{_ENCODERS}.CompositeEncoder", "init_args": {"parts": parts, "mirrored": True}}


SPECS = {"photo_encoder": _composite(1.0, 10.0, 0.1), "sketch_encoder": _composite(0.5, 1.0, 0.01), "shared": False}


def encoders_of_teachers(photo: str, sketch: str, aliases: dict[str, str] | None = None) -> StoredEncoders:
    """Make encoders of two classifiers: posteriors, and the photo teacher's reading of sketches.

    Args:
        photo: The photo teacher: a file with its card, a `.yaml` card, or `timm:<model name>`.
        sketch: The sketch teacher, in one of the same forms.
        aliases: Other spellings of class names; see `Vocabulary`.

    Raises:
        InputError: When a teacher cannot be read, or the two share no class.
    """
    teachers = TeacherPair(photo, sketch, aliases)
    encoders = build_encoders(SPECS, teachers, "--teachers")
    photos = ShapesDataset(size=max(sides(teachers.photo.card.input_size)), validation=_PHOTOS).images(
        "photo", "validation"
    )
    # A reading is standardised by the photos that a run trains with; here there is no run, and no real photo.
    encoders["photo"].train()
    with torch.no_grad():
        for start in range(0, len(photos), _PHOTOS):
            encoders["photo"].observe(torch.stack([photos[start + i].image for i in range(_PHOTOS)]), None)
    for encoder in encoders.values():
        encoder.eval().requires_grad_(False)
    return StoredEncoders(encoders["photo"], encoders["sketch"], teachers, dict(SPECS), aliases)
