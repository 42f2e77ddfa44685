"""The Sketchy Database as released."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from crossx.data.folders import ImageFolder
from crossx.errors import InputError
from crossx.types import Modality


class Sketchy(ImageFolder):
    """The Sketchy Database: 125 classes, `256x256/{photo,sketch}/tx_000000000000/<class>/`, sorted by name.

    Sketch `n02691156_58-1.png` was drawn from photo `n02691156_58.jpg`: they are an instance-level pair.

    "The Sketchy Database: Learning to Retrieve Badly Drawn Bunnies", Sangkloy et al., SIGGRAPH 2016.

    Args:
        modality: Which half to read.
        root: Folder that holds `256x256`; relative to the data root, or absolute.
    """

    def __init__(self, modality: Modality, root: str = "sketchy") -> None:
        super().__init__(f"{root}/256x256/{modality}/tx_000000000000", modality)

    def instances(self, names: Sequence[str]) -> list[str]:
        """The photo's id, of each photo or of each sketch's photo.

        Raises:
            InputError: When a sketch's name does not end in a hyphen and a number.
        """
        stems = [PurePosixPath(name).stem for name in names]
        return stems if self.modality == "photo" else [_photo_of(stem) for stem in stems]


def _photo_of(sketch: str) -> str:
    match = re.fullmatch(r"(.+)-[0-9]+", sketch)
    if match is None:
        raise InputError(f"Sketchy: sketch {sketch!r} is not named <photo id>-<number>")
    return match[1]
