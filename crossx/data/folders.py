"""Image files in one folder for each class, as in CIFAR-10, Tiny-ImageNet and most data sets."""

import os

from torch import Tensor

from crossx.data.images import load_image
from crossx.data.reader import ImageReader

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
"""Endings of image files; other files, such as lists, are ignored."""


class ImageFolder(ImageReader):
    """Class folders of image files, sorted by name.

    The name of a folder may have parts, such as `train/airplane`, for layouts that have splits of their own.

    Args:
        root: Folder that holds the class folders; relative to the data root, or absolute.
        modality: Modality of the images.
    """

    def names(self, folder: str) -> list[str]:
        """Paths of a class folder's images below the root."""
        path = self.path / folder
        if not path.is_dir():
            raise self.missing(path)
        with os.scandir(path) as entries:  # no stat for each file; macOS leaves hidden files such as ._1.jpg
            files = [e.name for e in entries if e.name.lower().endswith(SUFFIXES) and not e.name.startswith(".")]
        return [f"{folder}/{file}" for file in self.ordered(files)]

    def ordered(self, files: list[str]) -> list[str]:
        """Sort files in the order that positions in a split refer to: by code points, like `LC_ALL=C ls`."""
        return sorted(files)

    def read(self, name: str, size: int) -> Tensor:
        """Read an image as uint8 RGB, (3, S, S)."""
        return load_image(self.path / name, self.modality, size)
