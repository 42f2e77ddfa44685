"""Retrieval data sets from two readers, a class map and a split file."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence

from torch import Tensor

from crossx.core.checks import must_be_in, some
from crossx.core.distributed import warn
from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.core.text_files import read_text
from crossx.data.base import LabelledImages, RetrievalData
from crossx.data.class_map import read_class_map
from crossx.data.listing import stem
from crossx.data.reader import ImageReader
from crossx.data.split_file import read_split
from crossx.types import MODALITIES, Modality, Split


class JoinedData(RetrievalData):
    """Photos of one data set and sketches of another (or of the same), joined by class names, in a fixed split.

    The constructor reads the two small files only; images are looked up when a part is requested.

    Args:
        name: Short name for tables and run folders.
        photos: Reader of the photos.
        sketches: Reader of the sketches.
        class_map: JSON file with the folders of each class in both readers; see `crossx.data.class_map`.
        split: Table with the parts that the images of each folder belong to; see `crossx.data.split_file`.
        size: Side of the square images in pixels.
        classes: Classes in use: the name of a group of the class map, or a list of class names; None for all.
        cache: Keep decoded images in memory as uint8; for small images only.

    Raises:
        InputError: When a file is malformed, a reader has the wrong modality, or the class map names a folder that has
            no line in the split file.
    """

    def __init__(
        self,
        name: str,
        photos: ImageReader,
        sketches: ImageReader,
        class_map: str,
        split: str,
        size: int,
        classes: str | list[str] | None = None,
        cache: bool = False,
    ) -> None:
        must_be_in("size", size, "[1, inf)")
        self.name = name
        self.size = size
        self.cache = cache
        self._readers: dict[Modality, ImageReader] = {"photo": photos, "sketch": sketches}
        for modality, reader in self._readers.items():
            if reader.modality != modality:
                raise InputError(
                    f"{modality}s: must be a reader of modality {modality!r}, got {type(reader).__name__} of modality "
                    f"{reader.modality!r}"
                )
        self._class_map_file = resolve(class_map, "class_map")
        self._split_file = resolve(split, "split")
        joined = read_class_map(self._class_map_file)
        self._split = read_split(self._split_file)
        self.classes = joined.select(classes)
        self._folders = {
            modality: [(label, f) for label, c in enumerate(self.classes) for f in joined.folders[c][modality]]
            for modality in MODALITIES
        }
        for modality, folders in self._folders.items():
            for label, folder in folders:
                if (modality, folder) not in self._split:
                    raise InputError(
                        f"{self._class_map_file}: class {self.classes[label]!r} has the {modality} folder {folder!r}, "
                        f"which has no line in {self._split_file}"
                    )
        # Of the texts and not the bytes, because a checkout may change the line ends.
        texts = [read_text(file) for file in (self._split_file, self._class_map_file)]
        self._hash = hashlib.sha256(json.dumps([*texts, self.classes]).encode()).hexdigest()
        self._images: dict[tuple[Modality, Split], LabelledImages] = {}
        self._unused: dict[tuple[Modality, str], list[str]] = {}
        self._told: set[tuple[Modality, str]] = set()
        self._own_split = split.startswith("crossx:")

    @property
    def split_hash(self) -> str:
        """SHA-256 (hex) of the split file, the class map and the classes in use."""
        return self._hash

    def images(self, modality: Modality, split: Split) -> LabelledImages:
        """The images of a modality and split; photos are the gallery, sketches the queries.

        Raises:
            InputError: When a folder is missing, does not hold as many images as the split file says, or the split is
                empty.
        """
        if (modality, split) not in self._images:
            self._images[modality, split] = self._list(modality, split)
        return self._images[modality, split]

    def _list(self, modality: Modality, split: Split) -> LabelledImages:
        reader = self._readers[modality]
        self._check_distinct(reader)
        names: list[str] = []
        labels: list[int] = []
        listed: Counter[int] = Counter()  # label -> images in its folders
        with reader.left_out.told_together():
            for label, folder in self._folders[modality]:
                if not self._split[modality, folder].positions[split]:
                    continue
                there = self._names(reader, label, folder)
                instances = reader.instances(there) or [stem(name) for name in there]
                keys = [f"{folder}/{key}" for key in instances]
                chosen = self._split[modality, folder].choose(split, keys)
                self._unused[modality, folder] = [there[i] for i in self._split[modality, folder].in_no_part(keys)]
                names += [there[i] for i in chosen]
                labels += [label] * len(chosen)
                listed[label] += len(there)
        self._tell_unused(modality)
        if not names and not listed:
            raise InputError(f"{self._split_file}: the {split} part has no {modality} of {some(self.classes)}")
        if empty := [label for label in listed if label not in set(labels)]:
            one = empty[0]
            raise InputError(
                f"{self._split_file}: class {self.classes[one]!r}: the {split} part must have a {modality}, got none "
                f"of {listed[one]}: too few to split by hash, so give their number and positions"
                f"{f'; {len(empty) - 1} more classes have none' if len(empty) > 1 else ''}"
            )
        return _Images(reader, self.size, self.classes, labels, names, self.cache)

    def _tell_unused(self, modality: Modality) -> None:
        """Warn once of the images of each folder that a split of the user's puts in no part."""
        if self._own_split:  # crossx's leave some out on purpose
            return
        found = [(key, names) for key, names in self._unused.items() if key[0] == modality and key not in self._told]
        self._told.update(key for key, _ in found)
        if unused := [name for _, names in found for name in names]:
            warn(
                f"data: {len(unused)} {modality} images are in no part of {self._split_file}, such as "
                f"{', '.join(unused[:3])}"
            )

    def _names(self, reader: ImageReader, label: int, folder: str) -> list[str]:
        try:
            there = reader.names(folder)
        except InputError as error:
            raise InputError(f"{self._class_map_file}: class {self.classes[label]!r}: {error}") from error
        wanted = self._split[reader.modality, folder].images
        if wanted is not None and len(there) != wanted:
            path = reader.path / folder
            raise InputError(
                f"{path}: must hold {wanted} images for the split {self._split_file}, got {len(there)}: the data set "
                f"is incomplete or another release{reader.left_out.of(path)}"
            )
        return there

    def _check_distinct(self, reader: ImageReader) -> None:
        """Refuse two names of one folder on the disk, by links or by the case of letters."""
        seen: dict[tuple[int, int], str] = {}
        for label, folder in self._folders[reader.modality]:
            path = reader.path / folder
            if not path.is_dir():  # missing, or of a reader whose classes are no folders
                continue
            identity = (path.stat().st_dev, path.stat().st_ino)
            if identity in seen:
                raise InputError(
                    f"{self._class_map_file}: class {self.classes[label]!r}: {reader.modality} folder {folder!r} must "
                    f"be a folder of its own, got the folder {seen[identity]!r} under another name"
                )
            seen[identity] = folder


class _Images(LabelledImages):
    """A reader's images of one split."""

    def __init__(
        self,
        reader: ImageReader,
        size: int,
        classes: Sequence[str],
        labels: Sequence[int],
        names: Sequence[str],
        cache: bool,
    ) -> None:
        super().__init__(reader.modality, classes, labels, names, reader.instances(names), cache)
        self._reader = reader
        self._size = size

    def read(self, i: int, scale: int = 1) -> Tensor:
        return self._reader.read(self.names[i], scale * self._size)
