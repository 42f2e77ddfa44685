"""Images of a folder, with the classes that the names of its class folders give."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from crossx.core.checks import did_you_mean
from crossx.core.errors import InputError
from crossx.data.images import draw_sketch, fit_photo, is_white_on_black, load_image, open_rgb
from crossx.data.listing import ENDINGS, HIDDEN, Rest, is_hidden, list_images
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
        left_out: Reason -> number of files that are not looked at, without hidden ones.
    """

    paths: tuple[Path, ...]
    labels: Tensor
    unknown: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

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
                images.append(draw_sketch(picture, size, pen))
                light.append(is_white_on_black(np.asarray(picture.convert("L"))))
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
        raise InputError(f"--images: must be a folder, got {str(folder)!r}")
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))
    listed = {name: list_images(folder / name) for name in ("", *names)}  # "" is the folder itself
    groups = {
        name: [folder / name / image for image in sorted(images)] for name, (images, _) in listed.items() if images
    }
    listed[""][1].folders.clear()  # those that are listed themselves
    left_out = _counts(rest for _, rest in listed.values())
    if not groups:
        raise InputError(
            f"--images: {str(folder)!r} must hold images, or class folders with images; their names end in "
            f"{', '.join(ENDINGS)}; got {in_words(left_out) or 'no files'}"
        )
    aliases = aliases or {}
    place = {aliases.get(name, name): i for i, name in enumerate(classes)}
    unknown = tuple(name for name in groups if name and aliases.get(name, name) not in place)
    if any(aliases.get(name, name) in place for name in groups):  # then the other folders are other classes
        for name in unknown:
            left_out["in folders that are no class of the teacher"] += len(groups.pop(name))
    share = _share([len(files) for files in groups.values()], limit)
    paths: list[Path] = []
    labels: list[int] = []
    for name, files in groups.items():
        count = min(len(files), share)
        paths += [files[i * len(files) // count] for i in range(count)]
        labels += [place.get(aliases.get(name, name), -1)] * count
        if count < len(files):
            left_out[f"beyond the limit of {limit} images"] += len(files) - count
    return FolderImages(tuple(paths), torch.tensor(labels), unknown, left_out)


def in_words(left_out: Mapping[str, int]) -> str:
    """Describe how many files are left out, by reason."""
    return "; ".join(f"{count} {reason}" for reason, count in left_out.items())


def _counts(rests: Iterable[Rest]) -> dict[str, int]:
    """Reason -> number of files that are no images of a folder or its class folders; a reason has an example."""
    files: dict[str, list[Path]] = defaultdict(list)
    deeper: dict[Path, int] = {}
    for rest in rests:
        deeper |= rest.folders
        for reason, paths in rest.files.items():
            files[reason] += paths if reason != HIDDEN else []
    found = {f"{reason}, such as {min(paths)}": len(paths) for reason, paths in sorted(files.items()) if paths}
    if deeper:
        found[f"in folders inside class folders, such as {min(deeper)}"] = sum(deeper.values())
    return defaultdict(int, found)


def _share(counts: Sequence[int], limit: int) -> int:
    """Largest number of images of one class with which all classes together have at most `limit`; at least 1."""
    share = max(counts)
    while share > 1 and sum(min(count, share) for count in counts) > limit:
        share -= 1
    return share
