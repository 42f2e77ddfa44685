"""Photos and sketches that were drawn from them, as image files in folders."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from torch import Tensor

from crossx.core.errors import InputError
from crossx.data.images import load_image
from crossx.data.listing import ENDINGS, list_images
from crossx.data.reader import ImageReader
from crossx.types import MODALITIES, Modality

PARTS = ("train", "test")
"""Folders of a release that comes with its own parts."""


class PairFolders(ImageReader):
    """Folders `<category>/photo` and `<category>/sketch`, with or without `train` and `test` between.

    Sketch `<id>.png`, `<id>_<n>.png` or `<id>-<n>.png` was drawn from photo `<id>.jpg`; the ending is any of an image,
    and an id may have underscores and hyphens of its own. The instance of an image is its id, behind `train/` or
    `test/` where the folders have these parts.

    Args:
        modality: Modality to read.
        root: Folder that holds the categories; relative to the data root, or absolute.
        photo: Name of the folders with photos.
        sketch: Name of the folders with sketches.
    """

    def __init__(self, modality: Modality, root: str, photo: str = "photo", sketch: str = "sketch") -> None:
        super().__init__(root, modality)
        self._inner: dict[Modality, str] = {"photo": photo, "sketch": sketch}

    def names(self, folder: str) -> list[str]:
        """Paths of a category's images below the root, those for training first, sorted by code points.

        Raises:
            InputError: When the category has no folder for them, or holds none.
        """
        found = self._listed(folder, self.modality)
        if not found:
            raise InputError(
                f"{self.path / folder}: must hold images, which end in {', '.join(ENDINGS)}, in "
                f"{self._inner[self.modality]!r}, got none"
            )
        return found

    def _listed(self, folder: str, modality: Modality) -> list[str]:
        found: list[str] = []
        places = [f"{folder}/{part}" for part in PARTS if (self.path / folder / part).is_dir()] or [folder]
        for place in places:
            path = self.path / place / self._inner[modality]
            if not path.is_dir():
                raise self.missing(path)
            files, rest = list_images(path)
            self.left_out.add(path, rest)
            found += [f"{place}/{self._inner[modality]}/{file}" for file in sorted(files)]
        return found

    def read(self, name: str, size: int) -> Tensor:
        """Read an image as uint8 RGB, (3, S, S)."""
        return load_image(self.path / name, self.modality, size)

    def instances(self, names: Sequence[str]) -> list[str]:
        """Id of each photo, or of the photo that each sketch was drawn from."""
        keys = [_key(name) for name in names]
        if self.modality == "photo":
            return [key for _, key in keys]
        photos: dict[str, set[str]] = {}
        for category in dict.fromkeys(category for category, _ in keys):
            photos[category] = {_key(name)[1] for name in self._listed(category, MODALITIES[0])}
        return [key if key in photos[category] else re.sub("[_-][0-9]+$", "", key) for category, key in keys]


def _key(name: str) -> tuple[str, str]:
    """Category of an image, and its id behind the part, by the image's name."""
    path = PurePosixPath(name)
    *category, last = path.parts[:-2]
    if last in PARTS and category:
        return "/".join(category), f"{last}/{path.stem}"
    return "/".join([*category, last]), path.stem
