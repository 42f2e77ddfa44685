"""Interface of augmentations."""

from abc import ABC, abstractmethod

from torch import Tensor

from crossx.core.errors import InputError


class Augmentation(ABC):
    """A random view of each image, drawn independently, on the images' device.

    Random numbers come from torch's global generator of the images' device, which a run seeds anew for every batch.

    Attributes:
        new_content: Whether a view may show other content than its image, so that the teacher's output on the image
            does not hold for the view.
    """

    new_content: bool = False

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """Random views of images, (B, 3, H, W) in [0, 1], with the same shape and range."""


def check_same_content(augmentation: Augmentation | None, field: str) -> None:
    """Refuse an augmentation with new content where an image's class is used as the class of its view.

    Args:
        augmentation: The augmentation, or None.
        field: The config field, for the message.

    Raises:
        InputError: When the views may show other content than their images.
    """
    if augmentation is not None and augmentation.new_content:
        raise InputError(
            f"{field}: must be an augmentation that keeps the content of images, got {type(augmentation).__name__}, "
            "which is for encoders with judge_views: true"
        )
