"""What a folder of images holds: its images, and everything else by the reason why it is no image of the folder."""

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from crossx.pixels.decode import check_format

USUAL_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
"""Endings of files that are read as images, whichever of Pillow's formats they hold."""
FORMATS = {".jpe": "JPEG", ".jfif": "JPEG", ".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF", ".avif": "AVIF"}
"""Rarer endings, and the format that a file with such an ending must hold."""
ENDINGS = (*USUAL_ENDINGS, *FORMATS)
"""All endings of images, in small letters."""

HIDDEN = "hidden or of the system"
_OF_THE_SYSTEM = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir")


@dataclass
class Rest:
    """What lies in or beside a folder and is not read.

    Attributes:
        files: Reason -> paths.
        folders: Folders with images that nobody named -> their numbers of images.
    """

    files: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    folders: dict[Path, int] = field(default_factory=dict)


def list_images(folder: Path) -> tuple[list[str], Rest]:
    """List a folder.

    Args:
        folder: Existing folder.

    Returns:
        Names of its images, in no order, and the rest.

    Raises:
        InputError: When a file with a rarer ending holds another format.
    """
    images: list[str] = []
    rest = Rest()
    with os.scandir(folder) as entries:  # knows the kind of an entry without a further look at the disk
        for entry in entries:
            ending = _ending(entry.name)
            if is_hidden(entry.name):
                rest.files[HIDDEN].append(Path(entry))
            elif entry.is_dir():
                rest.folders |= count_images(Path(entry))
            elif ending not in ENDINGS:
                rest.files[f"with the ending {ending}" if ending else "without an ending"].append(Path(entry))
            elif entry.is_file() or entry.is_symlink():  # a link to nothing is an image that cannot be read
                images.append(entry.name)
            else:
                rest.files["neither a file nor a folder"].append(Path(entry))
    for name in sorted(images):
        if format_name := FORMATS.get(_ending(name)):
            check_format(folder / name, format_name)
    return images, rest


def count_images(top: Path) -> dict[Path, int]:
    """Number of images directly in a folder and in each folder inside it, without those that have none."""
    found = {}
    for place, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        if count := sum(_ending(name) in ENDINGS and not is_hidden(name) for name in files):
            found[Path(place)] = count
    return found


def in_words(rests: Iterable[Rest]) -> str:
    """Describe what is left out of folders: how much, by reason, each with an example; empty where that is nothing."""
    files: dict[str, list[Path]] = defaultdict(list)
    folders: dict[Path, int] = {}
    for rest in rests:
        folders |= rest.folders
        for reason, paths in rest.files.items():
            files[reason] += paths
    said = [f"{len(paths)} {reason}, such as {min(paths)}" for reason, paths in sorted(files.items()) if paths]
    if folders:
        said.append(f"{sum(folders.values())} in folders that are not named, such as {min(folders)} (name that folder)")
    return "; ".join(said)


def stem(name: str) -> str:
    """Last part of an image's name without its ending; `PurePosixPath.stem` takes six times as long."""
    return os.path.splitext(name.rpartition("/")[2])[0]


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or one that operating systems make by themselves."""
    return name.startswith(".") or name.lower() in _OF_THE_SYSTEM
