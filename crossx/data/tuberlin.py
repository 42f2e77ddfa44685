"""The sketches of TU-Berlin as released, and the photos of its extension."""

import re
from pathlib import PurePath

from crossx.core.errors import InputError
from crossx.data.folders import ImageFolder

_MISSPELT = {
    "chandelier": "chandeler",
    "diamond": "diamod",
    "giraffe": "griaffe",
    "mouse (animal)": "mouse",
    "pipe (for smoking)": "pipe",
    "space shuttle": "spacesshuttle",
    "spider": "spidar",
    "trombone": "tromobone",
    "wrist-watch": "wristwatching",
}
"""Classes whose folder of photos is not the class name without blanks, hyphens and brackets."""


class TUBerlin(ImageFolder):
    """TU-Berlin: 250 classes of 80 sketches, `png/<class>/<n>.png`, sorted by the number n.

    "How Do Humans Sketch Objects?", Eitz, Hays and Alexa, SIGGRAPH 2012.

    Args:
        root: Folder that holds `png`; relative to the data root, or absolute.
    """

    def __init__(self, root: str = "tuberlin") -> None:
        super().__init__(f"{root}/png", "sketch")

    def ordered(self, files: list[str]) -> list[str]:
        """Sort by number; classes start at any number, so 9.png and 10.png may be neighbours."""
        for file in files:
            if not PurePath(file).stem.isdecimal():
                raise InputError(f"{self.path}: files must be named by a number, as in TU-Berlin, got {file!r}")
        return sorted(files, key=lambda file: (int(PurePath(file).stem), file))


class TUBerlinPhotos(ImageFolder):
    """Photos of extended TU-Berlin, `ImageResized/<class>/`, by the class names of the sketches.

    In the original release the names of folders have no blanks, hyphens and brackets (`hotairballoon`), and nine are
    misspelt (`griaffe`, `spidar`). Releases with corrected names (`ImageResized_ready/hot air balloon`,
    `images/hot_air_balloon`) are read as well.

    "SketchNet: Sketch Classification with Web Images", Zhang et al., CVPR 2016.

    Args:
        root: Folder that holds `folder`; relative to the data root, or absolute.
        folder: Name of the folder with the classes.
    """

    def __init__(self, root: str = "tuberlin", folder: str = "ImageResized") -> None:
        super().__init__(f"{root}/{folder}", "photo")

    def names(self, folder: str) -> list[str]:
        """Paths of a class's images below the root."""
        squeezed = re.sub(r"[ ()-]", "", folder)
        spellings = (folder, _MISSPELT.get(folder, squeezed), squeezed, re.sub("[ -]", "_", folder))
        return super().names(next((name for name in spellings if (self.path / name).is_dir()), folder))
