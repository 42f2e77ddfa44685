"""Sequences of augmentations."""

from torch import Tensor

from crossx.augmentation.base import Augmentation


class Compose(Augmentation):
    """Augmentations that are applied one after another.

    Args:
        augmentations: The augmentations in the order in which they are applied.
    """

    def __init__(self, augmentations: list[Augmentation]) -> None:
        self.augmentations = augmentations
        self.new_content = any(augmentation.new_content for augmentation in augmentations)

    def __call__(self, images: Tensor) -> Tensor:
        """Random views of images, (B, 3, H, W) in [0, 1], with the same shape and range."""
        for augmentation in self.augmentations:
            images = augmentation(images)
        return images
