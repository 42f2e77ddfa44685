"""Interface of readers: named folders, each an ordered list of images of one modality.

A reader reads one public layout, without splits and other modalities; `JoinedData` joins two readers.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.data.left_out import LeftOut
from crossx.strokes.sequence import Strokes
from crossx.types import Modality


class ImageReader(ABC):
    """Images of one modality in a public layout.

    The disk is accessed when images are listed and not before, so that configs can be parsed without the data.

    Args:
        root: Folder whose entries are the classes; relative to the data root, or absolute.
        modality: Modality of the images.

    Attributes:
        left_out: Record of the files in class folders that are no images of the class.
    """

    def __init__(self, root: str, modality: Modality) -> None:
        self.root = root
        self.modality: Modality = modality
        self.left_out = LeftOut()

    @cached_property
    def path(self) -> Path:
        """Existing path of the root.

        Raises:
            InputError: When it does not exist.
        """
        return resolve(self.root, f"{type(self).__name__}.root")

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Names of a class folder's images, in an order that is the same everywhere; unique over all folders.

        Raises:
            InputError: When the folder does not exist, is malformed or holds no image.
        """

    @abstractmethod
    def read(self, name: str, size: int) -> Tensor:
        """Read an image as uint8 RGB, (3, S, S).

        Raises:
            InputError: When the image cannot be read.
        """

    def instances(self, names: Sequence[str]) -> list[str] | None:
        """Identity of the object in each image, for instance-level retrieval; None where the data set has none."""
        return None

    def strokes(self, name: str) -> Strokes | None:
        """Strokes of a sketch in drawing order; None for a reader of images.

        Raises:
            InputError: When the strokes cannot be read.
        """
        return None

    def missing(self, entry: Path) -> InputError:
        """Error for a missing class folder, with similar names."""
        there = sorted(path.name for path in entry.parent.iterdir()) if entry.parent.is_dir() else []
        close = get_close_matches(entry.name, there) or there[:5]
        return InputError(
            f"{entry} does not exist; {entry.parent} holds {len(there)} entries"
            + (f", such as {', '.join(map(repr, close))}" if close else "")
        )
