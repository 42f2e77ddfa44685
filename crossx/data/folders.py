"""Image files in one folder for each class, as in CIFAR-10, Tiny-ImageNet and most data sets."""

import re
from pathlib import Path

from torch import Tensor

from crossx.core.errors import InputError
from crossx.data.images import load_image
from crossx.data.listing import ENDINGS, count_images, in_words, list_images
from crossx.data.reader import ImageReader


class ImageFolder(ImageReader):
    """Class folders of image files, sorted by name.

    The name of a folder may have parts, such as `train/airplane`, for layouts that have splits of their own.

    Args:
        root: Folder that holds the class folders; relative to the data root, or absolute.
        modality: Modality of the images.
    """

    def names(self, folder: str) -> list[str]:
        """Paths of a class folder's images below the root; warns of other files, and of images a folder deeper.

        Raises:
            InputError: When the folder does not exist, or holds no image.
        """
        path = self.path / folder
        if not path.is_dir():
            raise self.missing(path)
        files, rest = list_images(path)
        for other in _spelled_alike(path):
            rest.folders |= count_images(other)
        if not files:
            words = in_words([rest]) or "an empty folder"
            raise InputError(f"{path}: must hold images, which end in {', '.join(ENDINGS)}; got {words}")
        self.left_out.add(path, rest)
        return [f"{folder}/{file}" for file in self.ordered(files)]

    def ordered(self, files: list[str]) -> list[str]:
        """Sort files in the order that positions in a split refer to: by code points, like `LC_ALL=C ls`."""
        return sorted(files)

    def read(self, name: str, size: int) -> Tensor:
        """Read an image as uint8 RGB, (3, S, S)."""
        return load_image(self.path / name, self.modality, size)


def _spelled_alike(folder: Path) -> list[Path]:
    """Other folders beside a folder whose names differ in the case of letters, or in blanks, hyphens and underscores.

    Where `Dog` and `dog`, or `hot air balloon` and `hot_air_balloon`, hold one class, half of its images would go
    unnoticed.
    """
    key = _squeezed(folder.name)
    alike = [path for path in folder.parent.iterdir() if path.name != folder.name and _squeezed(path.name) == key]
    return sorted(path for path in alike if path.is_dir() and not path.samefile(folder))


def _squeezed(name: str) -> str:
    return re.sub("[ _-]", "", name.casefold())
