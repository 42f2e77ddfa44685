"""Random views of images, for encoders in training and for judging generators."""

from crossx.augmentation.augment import Augment
from crossx.augmentation.backgrounds import BackgroundGenerator, DeadLeaves, Scribbles
from crossx.augmentation.base import Augmentation, check_same_content
from crossx.augmentation.compose import Compose
from crossx.augmentation.paste import PasteOnto

__all__ = [
    "Augment",
    "Augmentation",
    "BackgroundGenerator",
    "Compose",
    "DeadLeaves",
    "PasteOnto",
    "Scribbles",
    "check_same_content",
]
