"""Interface of data sets for fine-grained retrieval, in which a sketch belongs to the very photo it was drawn from.

A share of the training photos is labelled: the sketches of these photos may be used. The other photos are unlabelled.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.data.base import LabelledImages, RetrievalData
from crossx.strokes.quickdraw import line_width
from crossx.strokes.sequence import Strokes
from crossx.types import Split


class Pair(NamedTuple):
    """Places of a photo and of one of its sketches in the lists of their split."""

    photo: int
    sketch: int


class InstanceData(RetrievalData):
    """Photos and the sketches that were drawn from them, in fixed splits.

    The photos of a split are its gallery, also those without sketches; each of its sketches is a query. `instances` of
    both lists are set, every photo has its own, and every sketch has that of a photo of its split.

    Attributes:
        separate_galleries: Whether a query is ranked among the photos of its class alone, as where several data sets
            are measured together.
        held_out: Number of photos with sketches that were taken from the training photos for validation; fractions
            count them.
    """

    separate_galleries: bool = False
    held_out: int = 0

    def strokes(self, split: Split, i: int) -> Strokes | None:
        """Strokes of sketch i of a split in drawing order, in [0, 1]; None where the data set has images only."""
        return None

    def line_width(self, size: int) -> float:
        """Mean width of the sketches' lines, in pixels of an image whose side has `size` pixels.

        Drawings that a generator makes in place of such sketches get it.
        """
        return line_width(size)

    def own_photos(self, split: Split) -> npt.NDArray[np.int64]:
        """Place of the photo that each sketch of a split was drawn from, (N,).

        Raises:
            InputError: When two photos have one identity, or a sketch has that of no photo.
        """
        photos, sketches = self.images("photo", split), self.images("sketch", split)
        place: dict[str, int] = {}
        for i, identity in enumerate(_identities(photos)):
            if identity in place:
                raise InputError(
                    f"{self.name}: photos must have an identity each, got {photos.names[place[identity]]!r} and "
                    f"{photos.names[i]!r} of {identity!r}"
                )
            place[identity] = i
        wanted = _identities(sketches)
        if alone := [i for i, identity in enumerate(wanted) if identity not in place]:
            raise InputError(
                f"{self.name}: a {split} sketch must have its photo, got {sketches.names[alone[0]]!r} without a photo "
                f"{wanted[alone[0]]!r}"
            )
        return np.array([place[identity] for identity in wanted], dtype=np.int64)

    def labelled(self, fraction: float) -> list[Pair]:
        """Training pairs of the labelled photos, by photo in the order of their labels, all sketches of each.

        Fractions are of the photos that have sketches and are not in the test part. Smaller ones are parts of larger
        ones; photos that validate are never labelled, so that the largest fractions may find fewer.

        Args:
            fraction: Share of the photos, in (0, 1].

        Raises:
            InputError: When the fraction is out of range or leaves fewer than two pairs.
        """
        sketches_of: dict[int, list[int]] = {}
        for sketch, photo in enumerate(self.own_photos("train").tolist()):
            sketches_of.setdefault(photo, []).append(sketch)
        identities = _identities(self.images("photo", "train"))
        photos = sorted(sketches_of, key=lambda photo: label_key(identities[photo]))
        count = labelled_count(fraction, len(photos) + self.held_out)
        pairs = [Pair(photo, sketch) for photo in photos[:count] for sketch in sketches_of[photo]]
        if len(pairs) < 2:
            raise InputError(
                f"fraction: must leave at least 2 of the {len(self.images('sketch', 'train'))} training pairs of "
                f"{self.name}, got {fraction}, which leaves {len(pairs)}"
            )
        return pairs

    def unlabelled(self, fraction: float) -> list[int]:
        """Places of the training photos that are not labelled at a fraction, increasing."""
        labelled = {pair.photo for pair in self.labelled(fraction)}
        return [i for i in range(len(self.images("photo", "train"))) if i not in labelled]


def labelled_count(fraction: float, photos: int) -> int:
    """Number of labelled photos at a fraction, rounded half up.

    Raises:
        InputError: When the fraction is not in (0, 1].
    """
    must_be_in("fraction", fraction, "(0, 1]")
    return int(fraction * photos + 0.5)


def label_key(identity: str) -> str:
    """Key by which photos are ordered for labels: the SHA-256 of an identity, the same on every platform."""
    return hashlib.sha256(identity.encode()).hexdigest()


def labels_hash(data: InstanceData, fraction: float) -> str:
    """SHA-256 (hex) of the identities of the labelled photos, which results quote."""
    identities = _identities(data.images("photo", "train"))
    photos = dict.fromkeys(pair.photo for pair in data.labelled(fraction))
    return hashlib.sha256("\n".join(identities[photo] for photo in photos).encode()).hexdigest()


def _identities(images: LabelledImages) -> Sequence[str]:
    if images.instances is None:
        raise InputError(f"{images.modality} images must have instances for fine-grained retrieval, got none")
    return images.instances
