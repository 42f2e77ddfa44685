"""Tiny data sets in the exact public layouts, and the place of the real ones."""

import itertools
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from crossx.data.split_file import TENTHS, tenth


def real_data() -> Path:
    """The real data; a missing CROSSX_DATA is a failure, or nobody would notice that these tests never run."""
    root = os.environ.get("CROSSX_DATA")
    if not root:
        pytest.fail("CROSSX_DATA is not set: point it to the folder with cifar10, tuberlin, sketchy, ...")
    return Path(root)


def save_photo(path: Path, value: int, size: tuple[int, int] = (32, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 255 - value)).save(path)


def save_sketch(path: Path, x: int, side: int = 128) -> None:
    """One vertical line at x, one pixel wide."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", (side, side), 255)
    ImageDraw.Draw(image).line((x, 10, x, side - 10), fill=0)
    image.save(path)


def image_folder(root: Path, classes: dict[str, int]) -> None:
    """`<class>/00000.jpg`; the image's red value is its position."""
    for name, count in classes.items():
        for i in range(count):
            save_photo(root / name / f"{i:05d}.jpg", i)


def tuberlin(root: Path, classes: dict[str, int]) -> None:
    """`png/<class>/<n>.png` numbered through over the classes, and the list."""
    listing: list[str] = []
    for name, count in classes.items():
        for _ in range(count):
            listing.append(f"{name}/{len(listing) + 1}.png")
            save_sketch(root / "png" / listing[-1], 20 + len(listing))
    (root / "png/filelist.txt").write_text("\n".join(listing) + "\n")


def sketchy(root: Path, classes: dict[str, list[str]], sketches: int = 2) -> None:
    """`256x256/{photo,sketch}/tx_000000000000/<class>/`, the given photo ids, each with sketches -1, -2, ..."""
    for name, ids in classes.items():
        for i, photo in enumerate(ids):
            save_photo(root / "256x256/photo/tx_000000000000" / name / f"{photo}.jpg", i)
            for n in range(1, sketches + 1):
                save_sketch(root / "256x256/sketch/tx_000000000000" / name / f"{photo}-{n}.png", 30 + i)


def sketchy_extension(root: Path, classes: dict[str, list[str]], folder: str = "EXTEND_image_sketchy") -> None:
    """`EXTEND_image_sketchy/<class>/<id>.jpg`, the further photos of extended Sketchy."""
    for name, ids in classes.items():
        for i, photo in enumerate(ids):
            save_photo(root / folder / name / f"{photo}.jpg", 100 + i)


def tuberlin_photos(root: Path, folders: dict[str, int], folder: str = "ImageResized") -> None:
    """`ImageResized/<class without blanks>/<n>.JPEG`, the photos of extended TU-Berlin."""
    for name, count in folders.items():
        for i in range(count):
            save_photo(root / folder / name / f"n0{i:04d}_{i}.JPEG", i)


def one_of_each_tenth(folder: str, stems: Iterable[str]) -> list[str]:
    """The first of many names in each of the ten groups that images are hashed into, so that no part is empty."""
    first: dict[int, str] = {}
    for stem in stems:
        first.setdefault(tenth(f"{folder}/{stem}"), stem)
        if len(first) == TENTHS:
            break
    return sorted(first.values())


_MISSPELT = {
    "chandelier": "chandeler",
    "diamond": "diamod",
    "giraffe": "griaffe",
    "mouse (animal)": "mouse",
    "pipe (for smoking)": "pipe",
    "space shuttle": "spacesshuttle",
    "spider": "spidar",
    "trombone": "tromobone",
    "wrist-watch": "wristwatching",
}
"""Class -> folder of photos, as extended TU-Berlin calls it: a list of its own, because it checks the reader's."""


def tuberlin_extended(root: Path, classes: Sequence[str]) -> list[str]:
    """Ten photos in folders as the release calls them, which are returned, and the real sketches."""
    folders = [_MISSPELT.get(name, "".join(c for c in name if c not in " ()-")) for name in classes]
    for name, folder in zip(classes, folders, strict=True):
        for i, stem in enumerate(one_of_each_tenth(name, (f"n0{i:04d}_{i}" for i in itertools.count()))):
            save_photo(root / "ImageResized" / folder / f"{stem}.JPEG", i)
    (root / "png").symlink_to(real_data() / "tuberlin" / "png")
    return folders


def quickdraw_extended(root: Path, classes: Sequence[str]) -> None:
    """`images/<class>/image_<n>.jpg` and `sketches/<class>/<key id>.png`, ten of each."""
    for name in classes:
        for i, stem in enumerate(one_of_each_tenth(name, (f"image_{i:05d}" for i in itertools.count()))):
            save_photo(root / "images" / name / f"{stem}.jpg", i)
        for i, stem in enumerate(one_of_each_tenth(name, (str(4503626191994880 + 7 * i) for i in itertools.count()))):
            save_sketch(root / "sketches" / name / f"{stem}.png", 20 + i)


def quickdraw_strokes(root: Path, words: dict[str, int]) -> None:
    """`simplified/<word>.ndjson`: a cross whose vertical line moves right from drawing to drawing."""
    (root / "simplified").mkdir(parents=True, exist_ok=True)
    for word, count in words.items():
        lines = [
            json.dumps(
                {
                    "word": word,
                    "countrycode": "DE",
                    "timestamp": "2017-03-01 20:41:36.70725 UTC",
                    "recognized": True,
                    "key_id": str(i),
                    "drawing": [[[0, 255], [128, 128]], [[20 * i, 20 * i], [0, 255]]],
                }
            )
            for i in range(count)
        ]
        (root / "simplified" / f"{word}.ndjson").write_text("\n".join(lines) + "\n")
