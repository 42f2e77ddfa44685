"""What an augmentation is: a random view of each image."""

from abc import ABC, abstractmethod

from torch import Tensor

from crossx.core.errors import InputError


class Augmentation(ABC):
    """Images to random views of them, each by its own draw, on the device.

    What differs from call to call comes from torch's global generator of the images' device, which a run seeds anew for
    every batch.

    Attributes:
        new_content: Whether a view may show something else than its image, so that what a teacher has said of the image
            is not true of the view.
    """

    new_content: bool = False

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to a random view of each, of the same shape and range."""


def check_same_content(augmentation: Augmentation | None, field: str) -> None:
    """Refuse views of other content where what is known of an image is taken to hold for its view.

    Args:
        augmentation: The augmentation, if any.
        field: Where the user named it.

    Raises:
        InputError: When its views may show something else.
    """
    if augmentation is not None and augmentation.new_content:
        raise InputError(
            f"{field}: {type(augmentation).__name__} is not legal here: its views may show something else than the "
            "images; it is for encoders, with judge_views: true"
        )
