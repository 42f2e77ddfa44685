"""Exact search: one product of the queries with all vectors."""

import numpy as np

from crossx.search.gallery.rows import F32, I64

TIE = 4e-6
"""Difference of two similarities below which float32 sums do not tell them apart: some hundred terms, one by one."""
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
        ids: (N,) ids, ascending.
        matrix: (N, D) unit vectors.
    """

    def __init__(self, ids: I64, matrix: F32) -> None:
        self._ids, self._columns = ids, np.ascontiguousarray(matrix.T)
        self._dead = np.empty(0, np.int64)
        self._room_ids, self._room = self._ids, self._columns

    @classmethod
    def empty(cls, dim: int, room: int) -> "ExactEngine":
        """An engine without vectors, with room for some.

        Args:
            dim: Length D of the vectors that will come.
            room: Their number, as far as it is known; beyond it they are copied.
        """
        engine = cls(np.empty(0, np.int64), np.empty((0, dim), np.float32))
        engine._room_ids, engine._room = np.empty(room, np.int64), np.empty((dim, room), np.float32)
        return engine

    def _with(self, room_ids: I64, room: F32, count: int, dead: I64) -> "ExactEngine":
        """An engine of the first vectors in some room."""
        other = ExactEngine.__new__(ExactEngine)
        other._room_ids, other._room, other._dead = room_ids, room, dead
        other._ids, other._columns = room_ids[:count], room[:, :count]
        return other

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
        return self._with(room_ids, room, after, self._dead)

    def without(self, ids: I64) -> "ExactEngine":
        """The engine without some vectors; ids that it does not have are no mistake."""
        dead = np.union1d(self._dead, self._positions(ids))
        return self._with(self._room_ids, self._room, len(self._ids), dead)

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
    places = np.flatnonzero(scores >= last - TIE)
    if len(places) > n + _MOST_TIES:
        places = places[np.argsort(-scores[places], kind="stable")[: n + _MOST_TIES]]
    return places
