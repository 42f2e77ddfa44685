"""One folder a class, image files in it: CIFAR-10, Tiny-ImageNet, and most of what people have."""

import os

from torch import Tensor

from crossx.data.images import load_image
from crossx.data.reader import ImageReader

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
"""Files with other endings are not images: lists, thumbnails' databases."""


class ImageFolder(ImageReader):
    """Class folders of image files, sorted by name.

    A folder's name may have parts, such as `train/airplane`, so that one root serves a layout with its own split.

    Args:
        root: Folder that holds the class folders; relative to the data root, or absolute.
        modality: What the images are.
    """

    def names(self, folder: str) -> list[str]:
        """Paths of a class folder's images below the root."""
        path = self.path / folder
        if not path.is_dir():
            raise self.missing(path)
        with os.scandir(path) as entries:  # no stat a file; macOS leaves hidden twins such as ._1.jpg
            files = [e.name for e in entries if e.name.lower().endswith(SUFFIXES) and not e.name.startswith(".")]
        return [f"{folder}/{file}" for file in self.ordered(files)]

    def ordered(self, files: list[str]) -> list[str]:
        """The order that positions in a split refer to: by code points, as `sorted` and `LC_ALL=C ls` have it."""
        return sorted(files)

    def read(self, name: str, size: int) -> Tensor:
        """The image of that name as uint8 RGB, (3, S, S)."""
        return load_image(self.path / name, self.modality, size)
