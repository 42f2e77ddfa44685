"""Split files: a table of the images that train, validate and test, with one line for each class folder.

    # any remark
    modality  folder          images  train   validation  test
    photo     train/airplane  3000    0:2700  2700:3000   -
    sketch    airplane        80      0:50    50:60       60:80
    photo     zebra           *       #2:10   #1          #0

Columns are separated by tabs. A part is a list of positions in the reader's order, which count from 0 as in Python's
slices: `0:50`, `2,7,12`, `0:5,9:14`, or `-` for none. `images` is the number of images that the folder must hold,
because one image more or fewer would shift all positions after it.

Where the number of images is not known, `images` is `*`, and a part is a list of tenths after `#`: `#0` is tenth 0,
`#2:10` are the tenths 2 to 9. The hash of an image's class folder and instance (or file name) decides which tenth the
image belongs to, independently of the other images. A sketch and the photo it was drawn from are in the same part.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from crossx.core.checks import must_be_one_of
from crossx.core.errors import InputError
from crossx.core.text_files import read_text
from crossx.data.class_map import check_folder
from crossx.types import MODALITIES, Modality, Split

SPLITS: tuple[Split, Split, Split] = ("train", "validation", "test")
HEADER = ["modality", "folder", "images", *SPLITS]

ANY_NUMBER = "*"
"""Value of the column `images` for folders with any number of images."""
TENTHS = 10
"""Number of groups that images are hashed into."""


@dataclass(frozen=True)
class FolderSplit:
    """Split of one folder.

    Attributes:
        images: Number of images that the folder must hold; None where images are split by hash.
        positions: Ascending positions of the images of each part, or its tenths where images are split by hash.
    """

    images: int | None
    positions: dict[Split, list[int]]

    def choose(self, split: Split, keys: Sequence[str]) -> list[int]:
        """Positions of a part's images.

        Args:
            split: The part.
            keys: Folder and instance (or file name) of each image of the folder, in the reader's order.
        """
        wanted = self.positions[split]
        return wanted if self.images is not None else [i for i, key in enumerate(keys) if tenth(key) in wanted]

    def in_no_part(self, keys: Sequence[str]) -> list[int]:
        """Positions of the images of a folder that are in no part; arguments as in `choose`."""
        used = {position for part in self.positions.values() for position in part}
        places = range(len(keys)) if self.images is not None else map(tenth, keys)
        return [i for i, place in enumerate(places) if place not in used]


def tenth(key: str) -> int:
    """Tenth that a key is hashed into, 0 to 9."""
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
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: must be a text file in UTF-8 ({error})") from error
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
            raise InputError(f"{where}: must have {len(HEADER)} columns, separated by tabs, got {len(row)}")
        must_be_one_of(f"{where}: modality", row[0], MODALITIES)
        modality: Modality = "photo" if row[0] == "photo" else "sketch"
        check_folder(row[1], where)
        if (modality, row[1]) in table:
            raise InputError(f"{where}: must be the only line of a folder, got {modality} folder {row[1]!r} again")
        table[modality, row[1]] = _parse_row(row, where)
    return table


def _parse_row(row: list[str], where: str) -> FolderSplit:
    by_name = row[2] == ANY_NUMBER
    if not by_name and not re.fullmatch("[0-9]{1,9}", row[2]):
        raise InputError(f"{where}: images: must be a number or {ANY_NUMBER!r}, got {row[2]!r}")
    for text in row[3:]:
        if text != "-" and text.startswith("#") != by_name:
            raise InputError(
                f"{where}: must have tenths (#0:8) with images {ANY_NUMBER!r} and positions with a number, got "
                f"{text!r} with images {row[2]!r}"
            )
    images = TENTHS if by_name else int(row[2])
    columns = [text.removeprefix("#") for text in row[3:]]
    positions = {split: _parse_positions(text, images, where) for split, text in zip(SPLITS, columns, strict=True)}
    taken = sorted(position for part in positions.values() for position in part)
    twice = [a for a, b in pairwise(taken) if a == b]
    if twice:
        raise InputError(f"{where}: must have each position once, got {twice[0]} twice; an image belongs to one part")
    return FolderSplit(None if by_name else images, positions)


def _parse_positions(text: str, images: int, where: str) -> list[int]:
    positions: list[int] = []
    for item in [] if text == "-" else text.split(","):
        match = re.fullmatch("([0-9]{1,9})(?::([0-9]{1,9}))?", item)
        if match is None:
            raise InputError(f"{where}: positions: must be like 0:50 or 2,7,12 or -, got {text!r}")
        start = int(match[1])
        stop = int(match[2]) if match[2] else start + 1
        if not start < stop <= images:
            raise InputError(f"{where}: positions: must not be empty and must be below {images}, got {item!r}")
        positions += range(start, stop)
    return sorted(positions)
