"""Building of an index from the database: train, add, and measure recall with sketches."""

import numpy as np

from crossx.search.engines.ivf import IVFEngine
from crossx.search.engines.tune import ExactAnswers, perturbed, tune
from crossx.search.gallery.cache import CacheCard, Caches
from crossx.search.gallery.truth import Mark, Truth

_QUERIES = 500
"""Queries with which recall is measured."""
_SEED = 0


def build(truth: Truth, caches: Caches) -> CacheCard:
    """Build and save an index of all vectors of one committed state.

    Args:
        truth: The database, with at least one vector.
        caches: Its index files.

    Raises:
        InputError: When another process builds one.
        WorkError: When the disk is full.
    """
    with caches.building():
        return caches.save(*_built(truth))


def _built(truth: Truth) -> tuple[IVFEngine, Mark, float | None, float]:
    """An index, the state that it is of, and its recall for sketches, where there are any, and for photos."""
    sketches = truth.probes()[:_QUERIES]
    with truth.database.snapshot():
        mark, numbers = truth.mark(), truth.vector_ids()
        rng = np.random.default_rng(_SEED)
        some = rng.choice(numbers, IVFEngine.sample_size(len(numbers)), replace=False)
        _, sample = truth.vectors_of(some.tolist())
        engine = IVFEngine.trained(sample, len(numbers))
        photos = perturbed(sample[rng.choice(len(sample), min(_QUERIES, len(sample)), replace=False)])
        answers = [ExactAnswers(queries) for queries in (sketches, photos)]
        for ids, matrix in truth.vectors_after(0):
            engine.add(ids, matrix)
            for answer in answers:
                answer.see(matrix)
    of_sketches, of_photos = answers
    engine.probes, recall = tune(engine, of_sketches if len(sketches) else of_photos)
    return engine, mark, recall if len(sketches) else None, of_photos.recall(engine, engine.probes)
