"""The smallest effort with which an index finds what exact search finds, measured with sketches on the gallery itself.

Sketches lie off the cloud of the photos, and an index that finds photos may lose sketches; so nothing else is measured
where sketches are at hand.
"""

import numpy as np

from crossx.search.engines.exact import TIE
from crossx.search.engines.ivf import IVFEngine
from crossx.search.gallery.rows import F32

WANTED = 0.95
"""Recall@10 that is looked for."""
AT = 10
"""Neighbours of a query that count."""


class ExactAnswers:
    """Collects the exact ten neighbours of queries while all vectors pass by once.

    Args:
        queries: (Q, D) unit vectors.
    """

    def __init__(self, queries: F32) -> None:
        self.queries = queries
        self._best = np.full((len(queries), AT), -np.inf, np.float32)
        self._seen = 0

    def see(self, matrix: F32) -> None:
        """Take vectors (n, D) into account."""
        scores = np.concatenate([self._best, self.queries @ matrix.T], axis=1)
        self._best = np.partition(scores, scores.shape[1] - AT, axis=1)[:, -AT:]
        self._seen += len(matrix)

    def recall(self, engine: IVFEngine, probes: int) -> float:
        """Mean share of the exact neighbours that an index finds.

        A found vector counts when it is as similar as the exact tenth: where photos tie, any of them is right.

        Args:
            engine: The index, of the vectors that were seen.
            probes: Lists to look into.
        """
        wanted = min(AT, self._seen)
        least = np.sort(self._best, axis=1)[:, -wanted]
        scores, ids = engine.nearest(self.queries, wanted, probes)
        good = (ids >= 0) & (scores >= least[:, None] - TIE)
        return float(good.mean())


def tune(engine: IVFEngine, answers: ExactAnswers, wanted: float = WANTED) -> tuple[int, float]:
    """Find the fewest probes with which recall@10 is at least `wanted`.

    Args:
        engine: The index.
        answers: Exact answers of the queries on the same vectors.
        wanted: Least recall@10.

    Returns:
        Probes, and the recall with them.
    """
    few, many = 0, 1
    while many < engine.lists and answers.recall(engine, many) < wanted:
        few, many = many, min(2 * many, engine.lists)
    while many - few > max(1, few // 8):  # an eighth more or less is no difference that anybody feels
        middle = (few + many) // 2
        few, many = (few, middle) if answers.recall(engine, middle) >= wanted else (middle, many)
    return many, answers.recall(engine, many)


def perturbed(vectors: F32, seed: int = 0) -> F32:
    """Photos as queries, moved off their places by as much as their length: for galleries without sketches at hand.

    Args:
        vectors: (n, D) unit vectors.
        seed: Seed of the noise.
    """
    noise = np.random.default_rng(seed).standard_normal(vectors.shape)
    moved = vectors + noise / np.linalg.norm(noise, axis=1, keepdims=True)
    unit: F32 = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
    return unit
