"""Which images train, validate and test: a small table with one line a class folder.

    # any remark
    modality  folder          images  train   validation  test
    photo     train/airplane  3000    0:2700  2700:3000   -
    sketch    airplane        80      0:50    50:60       60:80
    photo     zebra           *       #2:10   #1          #0

Columns are separated by tabs. Positions count from 0 in the reader's order, as in Python's slices: `0:50`, `2,7,12`,
`0:5,9:14`, or `-` for none. `images` is how many the folder must hold: with an image more or fewer, all positions after
it would silently mean other images.

Where nobody has counted the images (`*`), `#` names tenths: an image belongs to the tenth that the hash of its class
folder and instance (or file's name) falls into, whatever else the folder holds. A sketch is in the part of its photo.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from crossx.core.errors import InputError
from crossx.data.class_map import check_folder
from crossx.types import MODALITIES, Modality, Split

SPLITS: tuple[Split, Split, Split] = ("train", "validation", "test")
HEADER = ["modality", "folder", "images", *SPLITS]

ANY_NUMBER = "*"
"""Column `images` of a folder that nobody has counted."""
TENTHS = 10
"""Parts that the hash of a name is taken modulo."""


@dataclass(frozen=True)
class FolderSplit:
    """How one folder is split.

    Attributes:
        images: Number of images that the folder must hold; None where images are split by their names.
        positions: Ascending positions of each part's images, or the tenths that are the part's.
    """

    images: int | None
    positions: dict[Split, list[int]]

    def choose(self, split: Split, keys: Sequence[str]) -> list[int]:
        """Positions of a part's images.

        Args:
            split: The part.
            keys: Folder and instance, or name, of each image of the folder, in the reader's order.
        """
        wanted = self.positions[split]
        return wanted if self.images is not None else [i for i, key in enumerate(keys) if tenth(key) in wanted]


def tenth(key: str) -> int:
    """The tenth that a name falls into, 0 to 9."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % TENTHS


def read_split(path: Path) -> dict[tuple[Modality, str], FolderSplit]:
    """Read a split file.

    Returns:
        (modality, folder) -> its split, in the file's order.

    Raises:
        InputError: When a line is malformed, a folder appears twice or lies outside of the data set, or an image is in
            two parts or beyond the folder's end.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not a text file in UTF-8 ({error})") from error
    lines = [
        (f"{path}: line {number}", line.split("\t"))
        for number, line in enumerate(text.splitlines(), start=1)
        if line and not line.startswith("#")
    ]
    if not lines or lines[0][1] != HEADER:
        raise InputError(f"{path}: the first line must have the columns {', '.join(HEADER)}, separated by tabs")
    table: dict[tuple[Modality, str], FolderSplit] = {}
    for where, row in lines[1:]:
        if len(row) != len(HEADER):
            raise InputError(f"{where}: {len(row)} columns, must have {len(HEADER)}, separated by tabs")
        modality = next((m for m in MODALITIES if m == row[0]), None)
        if modality is None:
            raise InputError(f"{where}: modality {row[0]!r}; legal: {', '.join(MODALITIES)}")
        check_folder(row[1], where)
        if (modality, row[1]) in table:
            raise InputError(f"{where}: {modality} folder {row[1]!r} has a line already")
        table[modality, row[1]] = _parse_row(row, where)
    return table


def _parse_row(row: list[str], where: str) -> FolderSplit:
    by_name = row[2] == ANY_NUMBER
    if not by_name and not re.fullmatch("[0-9]{1,9}", row[2]):
        raise InputError(f"{where}: images {row[2]!r} is neither a number nor {ANY_NUMBER!r}")
    for text in row[3:]:
        if text != "-" and text.startswith("#") != by_name:
            raise InputError(
                f"{where}: {text!r} beside images {row[2]!r}; tenths (#0:8) go with {ANY_NUMBER!r}, positions with a "
                "number"
            )
    images = TENTHS if by_name else int(row[2])
    columns = [text.removeprefix("#") for text in row[3:]]
    positions = {split: _parse_positions(text, images, where) for split, text in zip(SPLITS, columns, strict=True)}
    taken = sorted(position for part in positions.values() for position in part)
    twice = [a for a, b in pairwise(taken) if a == b]
    if twice:
        raise InputError(f"{where}: position {twice[0]} appears twice; an image belongs to one part")
    return FolderSplit(None if by_name else images, positions)


def _parse_positions(text: str, images: int, where: str) -> list[int]:
    positions: list[int] = []
    for item in [] if text == "-" else text.split(","):
        match = re.fullmatch("([0-9]{1,9})(?::([0-9]{1,9}))?", item)
        if match is None:
            raise InputError(f"{where}: positions {text!r} are not like 0:50 or 2,7,12 or -")
        start = int(match[1])
        stop = int(match[2]) if match[2] else start + 1
        if not start < stop <= images:
            raise InputError(f"{where}: positions {item!r} are empty or beyond the {images} there are")
        positions += range(start, stop)
    return sorted(positions)
