"""Random views of images: what encoders and teachers learn from."""

from crossx.augmentation.augment import Augment
from crossx.augmentation.base import Augmentation, check_same_content
from crossx.augmentation.canvases import Canvas, DeadLeaves, Scribbles
from crossx.augmentation.collage import Collage
from crossx.augmentation.compose import Compose

__all__ = [
    "Augment",
    "Augmentation",
    "Canvas",
    "Collage",
    "Compose",
    "DeadLeaves",
    "Scribbles",
    "check_same_content",
]
