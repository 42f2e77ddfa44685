"""Further photos without sketches, from folders of the user's, and which of them show photos of the test part."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from torch import Tensor

from crossx.core.checks import some
from crossx.core.distributed import warn
from crossx.core.errors import InputError
from crossx.data.folders import ImageFolder
from crossx.data.near_duplicates import difference_hash, file_hash, near_duplicate
from crossx.data.reader import ImageReader

_SIDE = 64
"""Side at which photos are read for their difference hashes."""


@dataclass(frozen=True)
class Duplicate:
    """An extra photo that shows a photo of the test part.

    Attributes:
        extra: Name of the extra photo.
        photo: Name of the photo of the test part.
        equal: Whether the files are equal; otherwise the pictures are nearly so.
    """

    extra: str
    photo: str
    equal: bool


class ExtraPhotos:
    """Photos of folders, one folder a category.

    Args:
        folders: Category to its folder, relative to the data root, or absolute.

    Attributes:
        duplicates: The photos that `listed` has left out.
    """

    def __init__(self, folders: Mapping[str, str]) -> None:
        self._readers: dict[str, tuple[ImageFolder, str]] = {}
        for category, folder in folders.items():
            path = PurePosixPath(folder)
            self._readers[category] = (ImageFolder(str(path.parent), "photo"), path.name)
        self.duplicates: list[Duplicate] = []

    def listed(self, test: ImageReader, names: Iterable[str]) -> dict[str, list[str]]:
        """Names of the photos of each category, without near duplicates of test photos, of which it warns.

        Args:
            test: Reader of the test photos.
            names: Names of all test photos.

        Raises:
            InputError: When a folder does not exist, is empty, or holds duplicates alone.
        """
        if not self._readers:
            return {}
        tested = list(names)
        hashes = {digest: name for name in tested if (digest := file_hash(test.path / name)) is not None}
        bits = [difference_hash(test.read(name, _SIDE)) for name in tested]
        found: dict[str, list[str]] = {}
        for category, (reader, folder) in self._readers.items():
            found[category] = []
            for name in reader.names(folder):
                digest = file_hash(reader.path / name)
                equal = None if digest is None else hashes.get(digest)
                near = None if equal else near_duplicate(difference_hash(reader.read(name, _SIDE)), bits)
                if equal is not None:
                    self.duplicates.append(Duplicate(name, equal, equal=True))
                elif near is not None:
                    self.duplicates.append(Duplicate(name, tested[near], equal=False))
                else:
                    found[category].append(name)
            if not found[category]:
                raise InputError(
                    f"data.dataset.extra: {reader.path / folder} must hold photos that are not in the test part, got "
                    f"duplicates of test photos alone, such as {self.duplicates[-1].extra!r}"
                )
        if self.duplicates:
            pairs = some(f"{found.extra} shows {found.photo}" for found in self.duplicates)
            warn(
                f"data: {len(self.duplicates)} extra photos are left out, because they are (nearly) photos of the test "
                f"part: {pairs}"
            )
        return found

    def read(self, category: str, name: str, size: int) -> Tensor:
        """Read a photo as uint8 RGB, (3, S, S)."""
        return self._readers[category][0].read(name, size)
