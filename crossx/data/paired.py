"""Fine-grained data sets from two readers: photos, and sketches that were drawn from them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from crossx.core.checks import must_be_in, some
from crossx.core.distributed import warn
from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.data.base import LabelledImages
from crossx.data.extra_photos import Duplicate, ExtraPhotos
from crossx.data.instances import InstanceData
from crossx.data.pair_split import Part, computed_parts, read_pair_split, split_of
from crossx.data.reader import ImageReader
from crossx.strokes.sequence import Strokes, check_normalised
from crossx.types import MODALITIES, Modality, Split


@dataclass
class _Listing:
    """Images of one modality and split, in one order."""

    names: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    instances: list[str] = field(default_factory=list)

    def add(self, name: str, label: int, instance: str) -> None:
        self.names.append(name)
        self.labels.append(label)
        self.instances.append(instance)


class PairedData(InstanceData):
    """Photos and sketches of one or more categories, where readers know which photo a sketch was drawn from.

    A photo and its sketches are in one part. The parts come from a split file, or from the release (see
    `crossx.data.pair_split`), and the last tenth of the training photos validates. Sketches without their photo are
    left out; photos without sketches are in the gallery, or unlabelled photos for training.

    Args:
        name: Short name for tables and run folders.
        photos: Reader of the photos.
        sketches: Reader of the sketches.
        size: Side of the square images in pixels.
        categories: Folders of the readers that are used, in the order of the labels; None for those of the split file.
        split: Split file; photos that it does not name are left out. None computes the parts.
        separate_galleries: Whether a query is ranked among the photos of its category alone.
        extra: Category to a folder of further photos without sketches, for training. Photos that show test photos are
            left out, and listed in a warning.
        cache: Keep decoded images in memory as uint8; for small images only.

    Raises:
        InputError: When an argument is out of range, a reader has the wrong modality, or the split file is malformed.
    """

    def __init__(
        self,
        name: str,
        photos: ImageReader,
        sketches: ImageReader,
        size: int,
        categories: list[str] | None = None,
        split: str | None = None,
        separate_galleries: bool = False,
        extra: dict[str, str] | None = None,
        cache: bool = False,
    ) -> None:
        must_be_in("size", size, "[1, inf)")
        self.name, self.size, self.cache = name, size, cache
        self.separate_galleries = separate_galleries
        self._readers: dict[Modality, ImageReader] = {"photo": photos, "sketch": sketches}
        for modality, reader in self._readers.items():
            if reader.modality != modality:
                raise InputError(f"{modality}s: must be a reader of modality {modality!r}, got {reader.modality!r}")
        self._split_file = None if split is None else resolve(split, "split")
        self._fixed = None if self._split_file is None else read_pair_split(self._split_file)
        if not categories and self._fixed is None:
            raise InputError("categories: must name at least one where there is no split file, got none")
        named = [photo.partition("/")[0] for photo in self._fixed or {}]
        self.classes = tuple(categories or sorted(set(named)))
        for category in extra or {}:
            if category not in self.classes:
                raise InputError(f"extra: must have categories of {some(self.classes)}, got {category!r}")
        self._extra = ExtraPhotos(extra or {})
        self._listed: dict[tuple[Modality, Split], _Listing] | None = None
        self._images: dict[tuple[Modality, Split], LabelledImages] = {}

    @property
    def held_out(self) -> int:  # type: ignore[override]  # known when the images are listed
        """Number of photos that were taken from the training photos for validation."""
        return len(self._all()["photo", "validation"].names)

    @property
    def duplicates(self) -> list[Duplicate]:
        """The extra photos that are left out, because they show photos of the test part."""
        self._all()
        return self._extra.duplicates

    @property
    def split_hash(self) -> str:
        """SHA-256 (hex) of the names, photos and parts of all images."""
        rows = [
            f"{modality} {split} {name} {instance}"
            for (modality, split), listing in self._all().items()
            for name, instance in zip(listing.names, listing.instances, strict=True)
        ]
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def images(self, modality: Modality, split: Split) -> LabelledImages:
        """The images of a modality and split; photos are the gallery, sketches the queries.

        Raises:
            InputError: When a folder is missing, the split file names photos that are not there, two photos have one
                id, or the split is empty.
        """
        if (modality, split) not in self._images:
            listing = self._all()[modality, split]
            if not listing.names:
                pairs = sum(len(set(self._all()["sketch", part].instances)) for part in _SPLITS)
                raise InputError(
                    f"{self.name}: must have a {modality} for {split}, got none from {pairs} photos with sketches at "
                    f"{self._readers[modality].path}; about 50 are enough for train, validation and test"
                )
            self._images[modality, split] = _Images(self, modality, listing)
        return self._images[modality, split]

    def strokes(self, split: Split, i: int) -> Strokes | None:
        """Strokes of sketch i of a split in drawing order, in [0, 1]; None where the reader has images only."""
        name = self.images("sketch", split).names[i]
        strokes = self._readers["sketch"].strokes(name)
        if strokes is not None:
            check_normalised(strokes)
        return strokes

    def read(self, modality: Modality, name: str, category: str, size: int) -> Tensor:
        """Read an image of one of the readers, or an extra photo, as uint8 RGB, (3, S, S)."""
        if name.startswith(_EXTRA):
            return self._extra.read(category, name.removeprefix(f"{_EXTRA}{category}/"), size)
        return self._readers[modality].read(name, size)

    def _all(self) -> dict[tuple[Modality, Split], _Listing]:
        if self._listed is None:
            self._listed = self._list()
        return self._listed

    def _list(self) -> dict[tuple[Modality, Split], _Listing]:
        photos, sketches = (self._of(modality) for modality in MODALITIES)
        names: dict[str, str] = {}  # of the photos, by their instance
        for name, _, instance in photos:
            if instance in names:
                raise InputError(
                    f"{self.name}: photos must have an id each, got {names[instance]!r} and {name!r} of {instance!r}"
                )
            names[instance] = name
        parts = self._parts(names, {instance for _, _, instance in sketches})
        found: dict[tuple[Modality, Split], _Listing] = {
            (modality, split): _Listing() for modality in MODALITIES for split in _SPLITS
        }
        for modality, images in zip(MODALITIES, (photos, sketches), strict=True):
            for name, label, instance in images:
                if instance in parts:
                    found[modality, split_of(parts[instance])].add(name, label, instance)
        self._tell_alone([name for name, _, instance in sketches if instance not in names])
        for category, extra in self._extra.listed(self._readers["photo"], found["photo", "test"].names).items():
            for name in extra:
                unique = f"{_EXTRA}{category}/{name}"  # two folders may have one last name
                found["photo", "train"].add(unique, self.classes.index(category), unique)
        return found

    def _of(self, modality: Modality) -> list[tuple[str, int, str]]:
        """Name, label and instance of all images of a modality."""
        reader = self._readers[modality]
        found: list[tuple[str, int, str]] = []
        with reader.left_out.told_together():
            for label, category in enumerate(self.classes):
                names = reader.names(category)
                instances = reader.instances(names)
                if instances is None:
                    raise InputError(f"{modality}s: must be a reader of instances, got {type(reader).__name__}")
                rows = zip(names, instances, strict=True)
                found += [(name, label, f"{category}/{instance}") for name, instance in rows]
        return found

    def _parts(self, photos: Mapping[str, str], with_sketches: set[str]) -> Mapping[str, Part]:
        if self._fixed is None:
            return computed_parts(photos, with_sketches & set(photos))
        wanted = [photo for photo in self._fixed if photo.partition("/")[0] in self.classes]
        if missing := [photo for photo in wanted if photo not in photos]:
            raise InputError(
                f"{self._readers['photo'].path}: must hold the {len(wanted)} photos of {self._split_file}, got "
                f"{len(wanted) - len(missing)}; missing: {some(missing)}"
            )
        return {photo: self._fixed[photo] for photo in wanted}

    def _tell_alone(self, names: Sequence[str]) -> None:
        if names:
            warn(
                f"data: {len(names)} sketches of {self.name} are left out, because their photos are not there: "
                f"{some(names)}"
            )


_SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_EXTRA = "extra:"
"""Beginning of the names of extra photos, which no image of a reader has."""


class _Images(LabelledImages):
    """Images of one modality and split."""

    def __init__(self, data: PairedData, modality: Modality, listing: _Listing) -> None:
        super().__init__(modality, data.classes, listing.labels, listing.names, listing.instances, data.cache)
        self._data = data

    def read(self, i: int, scale: int = 1) -> Tensor:
        category = self.classes[int(self.labels[i])]
        return self._data.read(self.modality, self.names[i], category, scale * self._data.size)
