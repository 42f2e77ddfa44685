"""Split files of fine-grained data sets: the part of each photo, and so of its sketches.

    # any remark
    photo                    part
    airplane/n02691156_58    test
    airplane/n02691156_1138  3
    airplane/n02691156_1512  free

Columns are separated by a tab. A photo is named by its category and its instance. A number is the tenth of the photos
with sketches in the order of their labels, which is that of the SHA-256 of their names: fractions of labelled photos
begin with tenth 0, and tenth 9 validates. `free` are training photos without sketches.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from crossx.core.errors import InputError
from crossx.core.text_files import read_text
from crossx.data.instances import label_key
from crossx.data.split_file import TENTHS, tenth
from crossx.types import Split

Part = Literal["test", "free", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
_PARTS: tuple[Part, ...] = ("test", "free", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
VALIDATES: Part = "9"
_HEADER = ["photo", "part"]


def split_of(part: Part) -> Split:
    """The split of a part."""
    return "test" if part == "test" else "validation" if part == VALIDATES else "train"


def computed_parts(photos: Iterable[str], with_sketches: set[str]) -> dict[str, Part]:
    """Parts of photos by the rule that the fixed files were written with.

    A photo whose instance begins with `train/` or `test/` is in the part that its release says; another one is in the
    test part where the hash of its name falls into the first tenth.

    Args:
        photos: Names of photos, `<category>/<instance>`.
        with_sketches: Those among them that have a sketch.

    Returns:
        The part of each photo, in the order of their labels.
    """
    found: dict[str, Part] = {}
    pool: list[str] = []
    for photo in sorted(photos, key=label_key):
        given = next((part for part in ("train", "test") if f"/{part}/" in photo), None)
        if given == "test" or (given is None and photo in with_sketches and tenth(photo) == 0):
            found[photo] = "test"
        elif photo in with_sketches:
            pool.append(photo)
        else:
            found[photo] = "free"
    found |= {photo: _PARTS[2 + TENTHS * i // len(pool)] for i, photo in enumerate(pool)}
    return dict(sorted(found.items(), key=lambda item: label_key(item[0])))


def read_pair_split(path: Path) -> dict[str, Part]:
    """Read a split file.

    Returns:
        Name of each photo to its part, in the file's order.

    Raises:
        InputError: When a line is malformed, or a photo stands in two.
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: must be a text file in UTF-8 ({error})") from error
    rows = [
        (f"{path}: line {number}", line.split("\t"))
        for number, line in enumerate(text.splitlines(), start=1)
        if line and not line.startswith("#")
    ]
    if not rows or rows[0][1] != _HEADER:
        raise InputError(f"{path}: the first line must have the columns {', '.join(_HEADER)}, separated by a tab")
    parts: dict[str, Part] = {}
    for where, row in rows[1:]:
        part = next((part for part in _PARTS if row[1:] == [part]), None)
        if part is None or "/" not in row[0]:
            raise InputError(
                f"{where}: must be a photo <category>/<instance>, a tab, and one of {', '.join(_PARTS)}; got "
                f"{chr(9).join(row)!r}"
            )
        if row[0] in parts:
            raise InputError(f"{where}: must be the only line of a photo, got {row[0]!r} again")
        parts[row[0]] = part
    return parts


def pair_split_text(parts: dict[str, Part], remark: str) -> str:
    """Text of a split file.

    Args:
        parts: Name of each photo to its part.
        remark: First line, without the number sign.
    """
    rows = (f"{photo}\t{part}\n" for photo, part in parts.items())
    return f"# {remark}\n" + "\t".join(_HEADER) + "\n" + "".join(rows)
