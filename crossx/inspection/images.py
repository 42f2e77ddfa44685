"""Images of a folder, with the classes that the names of its class folders give."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from crossx.core.checks import did_you_mean
from crossx.core.errors import InputError
from crossx.data.images import load_image
from crossx.data.listing import ENDINGS, list_images
from crossx.data.pen import FINER, Pen
from crossx.types import Modality


@dataclass(frozen=True)
class FolderImages:
    """Image files of a folder, or of the class folders in it.

    Attributes:
        paths: The files, (B).
        labels: Class of each, -1 where its folder's name is none of the teacher's classes, (B,).
        unknown: Names of class folders that are none of the teacher's classes; their images are looked at only where
            no folder is one.
        left_out: Number of files beyond the limit.
    """

    paths: tuple[Path, ...]
    labels: Tensor
    unknown: tuple[str, ...] = ()
    left_out: int = 0

    def some(self, most: int) -> "FolderImages":
        """At most so many of the images, evenly over them."""
        count = min(most, len(self.paths))
        chosen = [i * len(self.paths) // count for i in range(count)]
        return replace(self, paths=tuple(self.paths[i] for i in chosen), labels=self.labels[chosen])

    def remarks(self, classes: Sequence[str]) -> Iterator[str]:
        """Sentences about class folders that are none of a teacher's classes, with the nearest class.

        Args:
            classes: The teacher's classes.
        """
        if self.unknown:
            named = ", ".join(f"{name!r}{did_you_mean(name, classes)}" for name in self.unknown[:5])
            more = f" and {len(self.unknown) - 5} more" if len(self.unknown) > 5 else ""
            yield f"no class of the teacher is called {named}{more}; --aliases joins other spellings"

    def read(self, modality: Modality, size: int, pen: Pen | None = None) -> Tensor:
        """Read all images as every encoder and teacher gets them, (B, 3, S, S) in [0, 1].

        Raises:
            InputError: When an image cannot be read.
        """
        return torch.stack([load_image(path, modality, size, pen) for path in self.paths]) / 255

    def fine(self, size: int) -> list[Tensor]:
        """Read all images as sketches at the resolution at which pens redraw them, each (3, FINER * S, FINER * S)."""
        return [load_image(path, "sketch", FINER * size) for path in self.paths]


def folder_images(
    folder: Path, classes: Sequence[str], aliases: Mapping[str, str] | None = None, limit: int = 500
) -> FolderImages:
    """Find the images of a folder.

    Args:
        folder: Holds images, or class folders with images.
        classes: Classes of the teacher.
        aliases: Other spellings of class names, alias to name.
        limit: Largest number of images; of more, the same number is taken from each class, evenly over its files.

    Raises:
        InputError: When the folder does not exist, or has no image in it or in the folders in it.
    """
    if not folder.is_dir():
        raise InputError(f"--images: must be a folder, got {str(folder)!r}")
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    groups = {name: files for name, files in [("", _files(folder)), *((p.name, _files(p)) for p in inner)] if files}
    if not groups:
        raise InputError(
            f"--images: {str(folder)!r} must hold images, or class folders with images; their names end in "
            f"{', '.join(ENDINGS)}"
        )
    aliases = aliases or {}
    place = {aliases.get(name, name): i for i, name in enumerate(classes)}
    unknown = tuple(name for name in groups if name and aliases.get(name, name) not in place)
    if len(unknown) < len(groups):  # where some folders are classes, the others are other classes
        groups = {name: files for name, files in groups.items() if name not in unknown}
    share = _share([len(files) for files in groups.values()], limit)
    paths: list[Path] = []
    labels: list[int] = []
    for name, files in groups.items():
        count = min(len(files), share)
        paths += [files[i * len(files) // count] for i in range(count)]
        labels += [place.get(aliases.get(name, name), -1)] * count
    total = sum(map(len, groups.values()))
    return FolderImages(tuple(paths), torch.tensor(labels), unknown, total - len(paths))


def _files(folder: Path) -> list[Path]:
    images, _ = list_images(folder)
    return [folder / name for name in sorted(images)]


def _share(counts: Sequence[int], limit: int) -> int:
    """Largest number of images of one class with which all classes together have at most `limit`; at least 1."""
    share = max(counts)
    while share > 1 and sum(min(count, share) for count in counts) > limit:
        share -= 1
    return share
