"""Images of a folder, with the classes that the names of its class folders give."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from crossx.core.checks import did_you_mean, some
from crossx.core.errors import InputError
from crossx.core.paths import nearest_file
from crossx.data.images import draw_sketch, fit_photo, load_image
from crossx.data.listing import ENDINGS, HIDDEN, is_hidden, list_images
from crossx.pixels.decode import open_rgb
from crossx.pixels.fit import is_white_on_black
from crossx.pixels.pen import FINER, Pen
from crossx.types import Modality


@dataclass(frozen=True)
class FolderImages:
    """Image files of a folder, or of the class folders in it.

    Attributes:
        paths: The files, (B).
        labels: Class of each, -1 where its folder's name is none of the teacher's classes, (B,).
        unknown: Names of class folders that are none of the teacher's classes; their images are looked at only where
            no folder is one.
        left_out: Reason -> files that are not looked at, without hidden ones.
    """

    paths: tuple[Path, ...]
    labels: Tensor
    unknown: tuple[str, ...] = ()
    left_out: Mapping[str, Sequence[Path]] = field(default_factory=dict)

    def some(self, most: int) -> "FolderImages":
        """At most so many of the images, evenly over them."""
        count = min(most, len(self.paths))
        chosen = [i * len(self.paths) // count for i in range(count)]
        return replace(self, paths=tuple(self.paths[i] for i in chosen), labels=self.labels[chosen])

    def remarks(self, classes: Sequence[str], light: Tensor) -> Iterator[str]:
        """Sentences about class folders that are none of a teacher's classes, and about sketches of two kinds.

        Args:
            classes: The teacher's classes.
            light: Whether each image was inverted, as `read` says.
        """
        if self.unknown:
            named = ", ".join(f"{name!r}{did_you_mean(name, classes)}" for name in self.unknown[:5])
            more = f" and {len(self.unknown) - 5} more" if len(self.unknown) > 5 else ""
            yield f"no class of the teacher is called {named}{more}; --aliases joins other spellings"
        inverted = int(light.sum())
        if 0 < inverted < len(light):
            rare = self.paths[(light == (2 * inverted <= len(light))).tolist().index(True)]
            yield (
                f"{inverted} of {len(light)} sketches are read as light lines on black, the others as dark lines on "
                f"white; if all of them are of one kind, some are read wrongly, such as {rare}"
            )

    def read(self, modality: Modality, size: int, pen: Pen | None = None) -> tuple[Tensor, Tensor]:
        """Read all images as every encoder and teacher gets them.

        Returns:
            The images, (B, 3, S, S) in [0, 1], and whether each is a sketch that was inverted because it has light
            lines on black, (B,) bool.

        Raises:
            InputError: When an image cannot be read.
        """
        images, light = [], []
        for path in self.paths:
            picture = open_rgb(path)
            if modality == "photo":
                images.append(fit_photo(picture, size))
                light.append(False)
            else:
                light.append(is_white_on_black(np.asarray(picture.convert("L"))))
                images.append(draw_sketch(picture, size, pen, light[-1]))
        return torch.stack(images) / 255, torch.tensor(light)

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
        raise InputError(f"--images: must be a folder, got {str(folder)!r}{nearest_file(folder)}")
    groups, left_out = _listed(folder)
    if not groups:
        raise InputError(
            f"--images: {str(folder)!r} must hold images, or class folders with images; their names end in "
            f"{', '.join(ENDINGS)}; got {in_words(left_out) or 'no files'}"
            f"{_hint_deeper(folder)}"
        )
    aliases = aliases or {}
    place = {aliases.get(name, name): i for i, name in enumerate(classes)}
    unknown = tuple(name for name in groups if name and aliases.get(name, name) not in place)
    if any(aliases.get(name, name) in place for name in groups):  # then the other folders are other classes
        left_out["in folders that are no class of the teacher"] = [
            path for name in unknown for path in groups.pop(name)
        ]
    share = _share([len(files) for files in groups.values()], limit)
    paths: list[Path] = []
    labels: list[int] = []
    for name, files in groups.items():
        count = min(len(files), share)
        paths += [files[i * len(files) // count] for i in range(count)]
        labels += [place.get(aliases.get(name, name), -1)] * count
    chosen = set(paths)
    left_out[f"beyond the limit of {limit} images"] = [p for files in groups.values() for p in files if p not in chosen]
    return FolderImages(tuple(paths), torch.tensor(labels), unknown, left_out)


def in_words(left_out: Mapping[str, Sequence[Path]]) -> str:
    """Describe how many files are left out, by reason, each with an example."""
    return "; ".join(f"{len(paths)} {reason}, such as {paths[0]}" for reason, paths in left_out.items() if paths)


def _listed(folder: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Images of a folder (under "") and of each folder in it, and all other files by the reason why they are none."""
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))
    groups: dict[str, list[Path]] = {}
    left_out: dict[str, list[Path]] = defaultdict(list)
    for place in (folder, *inner):
        images, rest = list_images(place)
        if images:
            groups["" if place is folder else place.name] = [place / name for name in sorted(images)]
        for reason, paths in rest.files.items():
            left_out[reason] += sorted(paths)
    left_out["in folders inside class folders"] = [path for place in inner for path in _deeper(place)]
    left_out.pop(HIDDEN, None)
    return groups, left_out


def _deeper(folder: Path) -> Iterator[Path]:
    """Files of any kind in the folders inside a folder, without hidden ones."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        if Path(place) != folder:
            yield from (Path(place) / name for name in sorted(files) if not is_hidden(name))


def _hint_deeper(folder: Path) -> str:
    """Hint at the folders in a folder that hold class folders, such as `train` and `test`."""
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))
    holders = [str(path) for path in inner if _listed(path)[0]]
    return f"; class folders with images are one folder deeper: name {some(holders)}" if holders else ""


def _share(counts: Sequence[int], limit: int) -> int:
    """Largest number of images of one class with which all classes together have at most `limit`; at least 1."""
    share = max(counts)
    while share > 1 and sum(min(count, share) for count in counts) > limit:
        share -= 1
    return share
