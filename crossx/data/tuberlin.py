"""TU-Berlin sketches as released."""

from pathlib import PurePath

from crossx.data.folders import ImageFolder
from crossx.errors import InputError


class TUBerlin(ImageFolder):
    """TU-Berlin: 250 classes of 80 sketches, `png/<class>/<n>.png`, sorted by the number n.

    "How Do Humans Sketch Objects?", Eitz, Hays and Alexa, SIGGRAPH 2012.

    Args:
        root: Folder that holds `png`; relative to the data root, or absolute.
    """

    def __init__(self, root: str = "tuberlin") -> None:
        super().__init__(f"{root}/png", "sketch")

    def ordered(self, files: list[str]) -> list[str]:
        """By number: classes begin anywhere, so 9.png and 10.png may be neighbours."""
        for file in files:
            if not PurePath(file).stem.isdecimal():
                raise InputError(f"{self.path}: file {file!r} is not named by a number, as TU-Berlin's sketches are")
        return sorted(files, key=lambda file: int(PurePath(file).stem))
