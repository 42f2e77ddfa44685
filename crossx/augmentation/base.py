"""What an augmentation is: a random view of each image."""

from abc import ABC, abstractmethod

from torch import Tensor


class Augmentation(ABC):
    """Images to random views of them, each by its own draw, on the device.

    Randomness comes from torch's global generator of the images' device, so `torch.manual_seed` fixes it.

    Attributes:
        new_content: Whether a view may show something else than its image, so that what a teacher has said of the image
            is not true of the view.
    """

    new_content: bool = False

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to a random view of each, of the same shape and range."""


def view_of(images: Tensor, augmentation: Augmentation | None) -> Tensor:
    """A random view of each image, (B, 3, H, W); without an augmentation the images themselves."""
    return images if augmentation is None else augmentation(images)
