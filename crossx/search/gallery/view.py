"""What a search sees: an index of earlier vectors, and the later changes of the database in memory beside it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossx.search.engines.exact import ExactEngine
from crossx.search.engines.ivf import IVFEngine
from crossx.search.gallery.cache import CacheCard, Caches
from crossx.search.gallery.rows import F32, I64
from crossx.search.gallery.truth import Mark, Truth

_TIES = 32
"""Candidates of an index beyond the wanted number, among which ties are sorted out exactly."""
_MOST_SIDE, _MOST_GONE = 0.05, 0.2
"""Shares of vectors beside the index, and of removed ones in it, above which the index should be made anew."""


@dataclass(frozen=True)
class View:
    """A committed state of a gallery as a value; changes give another one.

    Attributes:
        mark: The state.
        side: Vectors that are not in the index, all of them where there is none.
        card: What is known of the index; None where there is none.
        main: The index.
        gone: Vectors of the index that are removed.
    """

    mark: Mark
    side: ExactEngine
    card: CacheCard | None
    main: IVFEngine | None
    gone: I64

    @property
    def count(self) -> int:
        """Number of vectors that can be found; counting them in the database would read them all."""
        return len(self.side) + (self.card.count - len(self.gone) if self.card else 0)

    @classmethod
    def open(cls, truth: Truth, caches: Caches | None) -> "View":
        """The newest state, with the newest usable index.

        Args:
            truth: The database.
            caches: Its index files; None for exact search.
        """
        card, main = (caches.load() if caches is not None else None) or (None, None)
        with truth.database.snapshot():
            mark = truth.mark()
            side = _loaded(truth, card.last_vector if card else 0)
            gone = truth.removed_after(card.seq) if card else np.empty(0, np.int64)
        return cls(mark, side, card, main, gone)

    def followed(self, truth: Truth) -> "View":
        """The newest state, with the same index."""
        with truth.database.snapshot():
            mark = truth.mark()
            if mark == self.mark:
                return self
            side = self.side
            for ids, matrix in truth.vectors_after(self.mark.last_vector):
                side = side.extended(ids, matrix)
            removed = truth.removed_after(self.mark.seq)
        gone = np.union1d(self.gone, removed[removed <= self.card.last_vector]) if self.card else self.gone
        return View(mark, side.without(removed) if len(removed) else side, self.card, self.main, gone)

    def is_worn(self) -> bool:
        """Whether so much has changed since the index was made that a new one is better."""
        if self.card is None:
            return True
        return len(self.side) > _MOST_SIDE * self.card.count or len(self.gone) > _MOST_GONE * self.card.count

    def find(self, queries: F32, n: int, allowed: I64 | None, exact: bool) -> list[I64]:
        """Candidates of each query: ids of vectors, among which are the best `n`.

        The few lists of an index in which a query's neighbours lie may hold none of those that may be found, so with
        `allowed` all lists are looked into.

        Args:
            queries: (Q, D) unit vectors.
            n: Number of candidates that are wanted.
            allowed: Ids of vectors that may be found, ascending; None for all.
            exact: Whether the index must find all.
        """
        found = self.side.find(queries, n, allowed)
        if self.main is None:
            return found
        probes = self.main.lists if exact or allowed is not None else self.main.probes
        _, ids = self.main.nearest(queries, n + _TIES, probes, self._permitted(allowed))
        return [np.union1d(side, row[row >= 0]) for side, row in zip(found, ids, strict=True)]

    def _permitted(self, allowed: I64 | None) -> npt.NDArray[np.uint8] | None:
        if self.card is None or (allowed is None and not len(self.gone)):
            return None
        may = np.full(self.card.last_vector + 1, allowed is None)
        if allowed is not None:
            may[allowed[allowed <= self.card.last_vector]] = True
        may[self.gone] = False
        return np.packbits(may, bitorder="little")


def _loaded(truth: Truth, after: int) -> ExactEngine:
    engine = ExactEngine.empty(truth.encoder.dim, truth.vectors(after))
    for ids, matrix in truth.vectors_after(after):
        engine = engine.extended(ids, matrix)
    return engine
