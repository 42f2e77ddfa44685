"""Exact search: one product of the queries with all vectors."""

import numpy as np

from crossx.search.gallery.rows import F32, I64

TIE = 1e-6
"""Difference of two similarities below which they are equal where recall is measured."""
_ROUNDING = 4e-6
"""Most that a float32 sum of some hundred terms, one by one, is off: what lies so near to the last place is compared
exactly behind the engine."""
_MOST_TIES = 4096
"""Most candidates of one query beyond the wanted number: of more equal vectors than these, any may be found."""
_PRODUCT = 1 << 24
"""Most similarities that are in memory at once: 64 MB."""


class ExactEngine:
    """Vectors in memory with their ids.

    They lie there by coordinate, (D, N): the product with one query then takes a third of the time, because it adds
    long rows in place of many short sums.

    The engine is a value: `extended` and `without` return another one, and a search in another thread goes on with its
    own. Engines that extend each other share memory; only the newest of them may be extended.

    Args:
        ids: Ids of the first N vectors, ascending, and room for further ones.
        columns: Their coordinates, (D, N), and as much room.
        count: N, the number of vectors.
        dead: Positions of vectors that are no longer found; None for none.
    """

    def __init__(self, ids: I64, columns: F32, count: int, dead: I64 | None = None) -> None:
        self._room_ids, self._room = ids, columns
        self._ids, self._columns = ids[:count], columns[:, :count]
        self._dead = np.empty(0, np.int64) if dead is None else dead

    @classmethod
    def empty(cls, dim: int, room: int) -> "ExactEngine":
        """An engine without vectors, with room for some.

        Args:
            dim: Length D of the vectors that will come.
            room: Their number, as far as it is known; beyond it they are copied.
        """
        return cls(np.empty(room, np.int64), np.empty((dim, room), np.float32), count=0)

    def __len__(self) -> int:
        """Number of vectors that can be found."""
        return len(self._ids) - len(self._dead)

    def extended(self, ids: I64, matrix: F32) -> "ExactEngine":
        """The engine with further vectors, whose ids are higher."""
        before, after = len(self._ids), len(self._ids) + len(ids)
        room_ids, room = self._room_ids, self._room
        if after > len(room_ids):
            size = max(after, 2 * before)
            room_ids, room = np.empty(size, np.int64), np.empty((matrix.shape[1], size), np.float32)
            room_ids[:before], room[:, :before] = self._ids, self._columns
        room_ids[before:after], room[:, before:after] = ids, matrix.T
        return ExactEngine(room_ids, room, after, self._dead)

    def without(self, ids: I64) -> "ExactEngine":
        """The engine without some vectors; ids that it does not have are no mistake."""
        dead = np.union1d(self._dead, self._positions(ids))
        return ExactEngine(self._room_ids, self._room, len(self._ids), dead)

    def find(self, queries: F32, n: int, allowed: I64 | None = None) -> list[I64]:
        """Ids of the `n` most similar vectors of each query in no order, and of those that tie with the last one.

        Args:
            queries: (Q, D) unit vectors.
            n: Number of candidates that are wanted.
            allowed: Ids that may be found, ascending; None for all.
        """
        ids, columns, dead = self._ids, self._columns, self._dead
        if allowed is not None:  # a copy of their rows would take longer than the product with all
            barred = np.ones(len(ids), bool)
            barred[self._positions(allowed)] = False
            barred[dead] = True
            dead = np.flatnonzero(barred)
        step = max(1, _PRODUCT // max(1, len(ids)))
        found: list[I64] = []
        for start in range(0, len(queries), step):
            scores = queries[start : start + step] @ columns
            scores[:, dead] = -np.inf
            found += [ids[_best(row, n, len(ids) - len(dead))] for row in scores]
        return found

    def _positions(self, ids: I64) -> I64:
        places = np.searchsorted(self._ids, ids)
        there = places < len(self._ids)
        places, ids = places[there], ids[there]
        found: I64 = places[self._ids[places] == ids]
        return found


def _best(scores: F32, n: int, there: int) -> I64:
    """Positions of the `n` highest scores among the `there` that are finite, with the ties of the last one."""
    n = min(n, there)
    if n == 0:
        return np.empty(0, np.int64)
    last = np.partition(scores, len(scores) - n)[len(scores) - n]
    places = np.flatnonzero(scores >= last - _ROUNDING)
    if len(places) > n + _MOST_TIES:
        places = places[np.argsort(-scores[places], kind="stable")[: n + _MOST_TIES]]
    return places
