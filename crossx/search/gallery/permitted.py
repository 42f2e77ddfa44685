"""The photos that a search in a folder may find, as numbers side by side: a million of them are 24 MB."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from crossx.search.gallery.rows import I64


class Permitted(NamedTuple):
    """Photos by their vectors.

    Attributes:
        vectors: Ids of the vectors, ascending, each once.
        of_photos: Vector of each photo, ascending.
        photos: Ids of the photos; of one vector, ascending.
    """

    vectors: I64
    of_photos: I64
    photos: I64

    @classmethod
    def of(cls, rows: I64) -> "Permitted":
        """Sort rows (n, 2) of vector and photo."""
        vectors, photos = rows[np.lexsort((rows[:, 1], rows[:, 0]))].T
        return cls(np.unique(vectors), vectors, photos)

    def photos_of(self, vectors: Iterable[int]) -> dict[int, list[int]]:
        """Ids of the photos of some vectors, ascending."""
        wanted = list(vectors)
        first, last = (np.searchsorted(self.of_photos, wanted, side) for side in ("left", "right"))
        return {v: self.photos[a:b].tolist() for v, a, b in zip(wanted, first, last, strict=True) if a < b}
