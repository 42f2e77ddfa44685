"""The Sketchy Database as released, and the photos of its extension."""

import re
from collections.abc import Sequence
from functools import cached_property

from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.text_files import read_text
from crossx.data.folders import ImageFolder
from crossx.data.images import load_image
from crossx.data.listing import stem
from crossx.data.reader import ImageReader
from crossx.types import Modality

_PHOTOS = "256x256/photo/tx_000000000000"


class Sketchy(ImageFolder):
    """The Sketchy Database: 125 classes, `256x256/{photo,sketch}/tx_000000000000/<class>/`, sorted by name.

    Sketch `n02691156_58-1.png` was drawn from photo `n02691156_58.jpg`: they are an instance-level pair.

    "The Sketchy Database: Learning to Retrieve Badly Drawn Bunnies", Sangkloy et al., SIGGRAPH 2016.

    Args:
        modality: Modality to read.
        root: Folder that holds `256x256`; relative to the data root, or absolute.
        leave_out_invalid: Whether sketches that `info/invalid-*.txt` names are left out, where the release has these
            lists: drawings of something else, or with the wrong pose or surroundings.
    """

    def __init__(self, modality: Modality, root: str = "sketchy", leave_out_invalid: bool = False) -> None:
        super().__init__(f"{root}/256x256/{modality}/tx_000000000000", modality)
        self.leave_out_invalid = leave_out_invalid

    def names(self, folder: str) -> list[str]:
        """Paths of a class's images below the root, without the invalid sketches where they are to be left out."""
        names = super().names(folder)
        if not self.leave_out_invalid or self.modality == "photo":
            return names
        return [name for name in names if stem(name) not in self._invalid]

    @cached_property
    def _invalid(self) -> set[str]:
        """Stems of the sketches that the release marks as invalid."""
        lists = sorted((self.path.parents[2] / "info").glob("invalid-*.txt"))
        return {stem(line.strip()) for path in lists for line in read_text(path).splitlines()}

    def instances(self, names: Sequence[str]) -> list[str]:
        """Id of each photo, or of the photo that each sketch was drawn from.

        Raises:
            InputError: When a sketch's name does not end in a hyphen and a number.
        """
        stems = [stem(name) for name in names]
        return stems if self.modality == "photo" else [_photo_of(name) for name in stems]


class SketchyExtended(ImageReader):
    """Photos of extended Sketchy: those of the Sketchy Database, and about 600 more for each class from ImageNet.

    Class folders `256x256/photo/tx_000000000000/<class>/` and `EXTEND_image_sketchy/<class>/`. Some releases spell
    `hot-air_balloon` and `jack-o-lantern` with underscores; both are found.

    "Deep Sketch Hashing: Fast Free-Hand Sketch-Based Image Retrieval", Liu et al., CVPR 2017, arXiv 1703.05605.

    Args:
        root: Folder that holds both folders; relative to the data root, or absolute.
        extension: Name of the folder with the further photos, such as `EXTEND_image_sketchy_ready` or `extended_photo`.
    """

    def __init__(self, root: str = "sketchy", extension: str = "EXTEND_image_sketchy") -> None:
        super().__init__(root, "photo")
        self._halves = {place: ImageFolder(f"{root}/{place}", "photo") for place in (_PHOTOS, extension)}
        for half in self._halves.values():
            half.left_out = self.left_out

    def names(self, folder: str) -> list[str]:
        """Paths of a class's images below the root, those of the Sketchy Database first."""
        found = []
        for place, half in self._halves.items():
            corrected = folder.replace("-", "_")
            spelled = corrected if (half.path / corrected).is_dir() else folder
            found += [f"{place}/{name}" for name in half.names(spelled)]
        return found

    def read(self, name: str, size: int) -> Tensor:
        """Read an image as uint8 RGB, (3, S, S)."""
        return load_image(self.path / name, self.modality, size)

    def instances(self, names: Sequence[str]) -> list[str]:
        """Id of each photo."""
        return [stem(name) for name in names]


def _photo_of(sketch: str) -> str:
    match = re.fullmatch(r"(.+)-[0-9]+", sketch)
    if match is None:
        raise InputError(f"Sketchy: sketches must be named <photo id>-<number>, got {sketch!r}")
    return match[1]
