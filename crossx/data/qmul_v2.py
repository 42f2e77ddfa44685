"""QMUL Shoe V2 and Chair V2 in the layouts in which they are passed on."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crossx.core.array_pickle import read_arrays
from crossx.core.checks import some
from crossx.core.errors import InputError
from crossx.core.text_files import read_text
from crossx.data.images import load_image
from crossx.data.listing import list_images
from crossx.data.reader import ImageReader
from crossx.pixels.fit import repeat_grey
from crossx.strokes.quickdraw import line_width
from crossx.strokes.raster import rasterise
from crossx.strokes.sequence import FARTHEST, Strokes, check_normalised
from crossx.types import Modality

CANVAS = 256.0
"""Side of the canvas of the released coordinates."""
_PARTS = ("train", "test")
_SIDES: dict[Modality, str] = {"sketch": "A", "photo": "B"}
_KEY = re.compile(r"/?(train|test)/(.+)_[^_/]+")  # the last underscore, because ids have some of their own


class _Entry(NamedTuple):
    """One image: the identity of its photo, and its file or its points (x, y, whether the pen lifts behind it)."""

    instance: str
    source: Path | npt.NDArray[np.float64]


class QMULV2(ImageReader):
    """QMUL Shoe V2 and Chair V2: photos, and several sketches of each, in one of three layouts.

    - `photo/` and a pickle of the sketches' strokes, `ShoeV2_Coordinate` or `ChairV2_Coordinate`. Its keys,
      `/train/<photo id>_<n>`, say the part of each photo; photos that it does not name are unlabelled ones
      for training.
    - `trainA/`, `trainB/`, `testA/` and `testB/`: sketches are A, photos B.
    - `<Set>_photo/` and `<Set>_sketch/` beside `photo_train.txt`, `photo_test.txt`, `sketch_train.txt` and
      `sketch_test.txt`, which have the name of a file on each line.

    The photo of sketch `<id>_<n>` is what stands before the last underscore. The instance of an image is its id behind
    its part, such as `train/2429245`. Releases differ in their numbers of sketches.

    "Sketch Me That Shoe", Yu et al., CVPR 2016; the second version is at https://sketchx.eecs.qmul.ac.uk/downloads.

    Args:
        modality: Modality to read.
        root: Folder that holds a layout, or a folder a category that does; relative to the data root, or absolute.
    """

    def __init__(self, modality: Modality, root: str) -> None:
        super().__init__(root, modality)
        self._listed: dict[str, dict[str, _Entry]] = {}

    def names(self, folder: str) -> list[str]:
        """Names of a category's images, those for training first, sorted by code points.

        Raises:
            InputError: When no layout is found, or it is malformed or holds no image of the modality.
        """
        return list(self._entries(folder))

    def instances(self, names: Sequence[str]) -> list[str]:
        """Part and id of each photo, or of the photo that each sketch was drawn from."""
        return [self._entry(name).instance for name in names]

    def read(self, name: str, size: int) -> Tensor:
        """Read an image, or rasterise strokes in black on white: uint8 RGB, (3, S, S)."""
        source = self._entry(name).source
        if isinstance(source, Path):
            return load_image(source, self.modality, size)
        return torch.from_numpy(repeat_grey(rasterise(_strokes(source), size, line_width(size))))

    def strokes(self, name: str) -> Strokes | None:
        """Strokes of a sketch at their place on the canvas, which is the unit square; None in layouts of images."""
        source = self._entry(name).source
        return None if isinstance(source, Path) else _strokes(source)

    def _entry(self, name: str) -> _Entry:
        return self._entries(name.partition("/")[0])[name]

    def _entries(self, folder: str) -> dict[str, _Entry]:
        """Images of a category by name."""
        if folder not in self._listed:
            place = self.path / folder if (self.path / folder).is_dir() else self.path
            rows = sorted(self._rows(place), key=lambda row: (row[0] != "train", row[0], row[1]))
            found = {"/".join(filter(None, (folder, part, name))): entry for part, name, entry in rows}
            if not found:
                raise InputError(f"{place}: must hold images of modality {self.modality}, got none")
            self._listed[folder] = found
        return self._listed[folder]

    def _rows(self, place: Path) -> Iterator[tuple[str, str, _Entry]]:
        """Part, name and content of all images of the layout that a folder holds."""
        if pickles := sorted(place.glob("*_Coordinate")):
            if len(pickles) > 1:
                raise InputError(f"{place}: must hold one file of coordinates, got {some(p.name for p in pickles)}")
            return self._of_coordinates(place, pickles[0])
        if (place / "trainA").is_dir():
            return self._of_sides(place)
        if (place / "photo_train.txt").is_file():
            return self._of_lists(place)
        if (place / "photo").is_dir() and self.modality == "photo":  # photos alone: all without a part
            return self._of_coordinates(place, None)
        there = some(sorted(path.name for path in place.iterdir())) or "nothing"
        raise InputError(
            f"{place}: must hold <Set>_Coordinate, trainA, or photo_train.txt, as QMUL V2 does; got {there}"
        )

    def _of_coordinates(self, place: Path, pickle: Path | None) -> Iterator[tuple[str, str, _Entry]]:
        part_of: dict[str, str] = {}
        for key, array in (read_arrays(pickle) if pickle else {}).items():
            match = _KEY.fullmatch(key)
            if match is None:
                raise InputError(f"{pickle}: keys must be /train/<photo id>_<n> or /test/<photo id>_<n>, got {key!r}")
            part, photo = match[1], match[2]
            if part_of.setdefault(photo, part) != part:
                raise InputError(f"{pickle}: a photo must be in one part, got {photo!r} in both")
            _check_points(array, f"{pickle}: {key!r}")
            if self.modality == "sketch":
                entry = _Entry(f"{part}/{photo}", array.astype(np.float64))
                yield part, key.strip("/").partition("/")[2], entry
        if self.modality == "photo":
            for path in self._images(place / "photo"):
                part = part_of.get(path.stem, "")
                yield part, path.name, _Entry(f"{part}/{path.stem}" if part else path.stem, path)

    def _of_sides(self, place: Path) -> Iterator[tuple[str, str, _Entry]]:
        for part in _PARTS:
            for path in self._images(place / f"{part}{_SIDES[self.modality]}"):
                yield part, path.name, self._of_file(part, path)

    def _of_lists(self, place: Path) -> Iterator[tuple[str, str, _Entry]]:
        folders = [path for path in sorted(place.glob(f"*_{self.modality}")) if path.is_dir()]
        if len(folders) != 1:
            raise InputError(
                f"{place}: must hold one folder <Set>_{self.modality}, got {some(p.name for p in folders) or 'none'}"
            )
        there = {path.name: path for path in self._images(folders[0])}
        for part in _PARTS:
            file = place / f"{self.modality}_{part}.txt"
            try:
                lines = read_text(file).split("\n")
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"{file}: must be a list of files in UTF-8 ({error})") from None
            listed = list(dict.fromkeys(Path(line.strip()).name for line in lines if line.strip()))
            if missing := [name for name in listed if name not in there]:
                raise InputError(f"{file}: must name images of {folders[0]}, got {some(missing)}")
            for name in listed:
                yield part, name, self._of_file(part, there[name])

    def _of_file(self, part: str, path: Path) -> _Entry:
        photo, _, number = path.stem.rpartition("_") if self.modality == "sketch" else (path.stem, "", "0")
        if not photo or not number:
            raise InputError(f"{path}: sketches must be named <photo id>_<n>, got {path.stem!r}")
        return _Entry(f"{part}/{photo}", path)

    def _images(self, folder: Path) -> list[Path]:
        if not folder.is_dir():
            raise self.missing(folder)
        files, rest = list_images(folder)
        self.left_out.add(folder, rest)
        return [folder / file for file in files]


def _check_points(array: npt.NDArray[Any], where: str) -> None:
    if array.ndim != 2 or array.shape[1] != 3 or len(array) < 2:
        raise InputError(f"{where}: must be rows of x, y and lift, (N, 3) with N >= 2, got {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"{where}: must be finite, got NaN or infinity")
    if (farthest := np.abs(array).max()) > FARTHEST:
        raise InputError(f"{where}: must have coordinates in [-{FARTHEST:g}, {FARTHEST:g}], got {farthest:g}")
    if not np.isin(array[:, 2], (0, 1)).all():
        raise InputError(f"{where}: must have 0 or 1 in the column of the pen, got other values")
    try:
        check_normalised(_strokes(array.astype(np.float64)))
    except InputError as error:
        raise InputError(f"{where}: must be on a canvas of {CANVAS:g} pixels ({error})") from None


def _strokes(array: npt.NDArray[np.float64]) -> Strokes:
    """Strokes of rows of x, y and lift; the last row ends its stroke, whether the pen lifts or not."""
    cuts = np.flatnonzero(array[:-1, 2]) + 1
    return np.split((array[:, :2] / CANVAS).astype(np.float32), cuts)
