"""Images without their labels, for encoders that adapt to the images at hand."""

from collections.abc import Iterable

from torch import Tensor

from crossx.data.base import LabelledImages


class UnlabelledImages:
    """The images of labelled lists, one list behind the other, without the labels; read when they are asked for.

    Args:
        lists: Labelled images.
    """

    def __init__(self, lists: Iterable[LabelledImages]) -> None:
        self._places = [(images, i) for images in lists for i in range(len(images))]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, i: int) -> Tensor:
        images, place = self._places[i]
        return images[place].image
