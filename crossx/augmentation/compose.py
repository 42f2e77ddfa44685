"""One augmentation after another."""

from torch import Tensor

from crossx.augmentation.base import Augmentation


class Compose(Augmentation):
    """Apply augmentations one after another.

    Args:
        augmentations: The first is applied first.
    """

    def __init__(self, augmentations: list[Augmentation]) -> None:
        self.augmentations = augmentations
        self.new_content = any(augmentation.new_content for augmentation in augmentations)

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to a random view of each, of the same shape and range."""
        for augmentation in self.augmentations:
            images = augmentation(images)
        return images
