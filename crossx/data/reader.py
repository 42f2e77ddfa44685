"""What a collection of image files is to crossx: named folders, each an ordered list of images of one modality.

A reader knows one public layout and nothing of splits or of other modalities; `JoinedData` puts two together.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from torch import Tensor

from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.types import Modality


class ImageReader(ABC):
    """Images of one modality in a public layout.

    The disk is first touched when images are listed, so that a config can be read where the data are not.

    Args:
        root: Folder whose entries are the classes; relative to the data root, or absolute.
        modality: What the images are.
    """

    def __init__(self, root: str, modality: Modality) -> None:
        self.root = root
        self.modality: Modality = modality

    @cached_property
    def path(self) -> Path:
        """The root, found.

        Raises:
            InputError: When it does not exist.
        """
        return resolve(self.root, f"{type(self).__name__}.root")

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Names of a class folder's images, in an order that is the same everywhere; unique over all folders.

        Raises:
            InputError: When the folder does not exist or is malformed.
        """

    @abstractmethod
    def read(self, name: str, size: int) -> Tensor:
        """The image of that name as uint8 RGB, (3, S, S).

        Raises:
            InputError: When it cannot be read.
        """

    def instances(self, names: Sequence[str]) -> list[str] | None:
        """What each image depicts, for instance-level retrieval; None where the data set does not say."""
        return None

    def missing(self, entry: Path) -> InputError:
        """The error for a class that is not there, with the names that look like it."""
        there = sorted(path.name for path in entry.parent.iterdir()) if entry.parent.is_dir() else []
        close = get_close_matches(entry.name, there) or there[:5]
        return InputError(
            f"{entry} does not exist; {entry.parent} holds {len(there)} entries"
            + (f", such as {', '.join(map(repr, close))}" if close else "")
        )
