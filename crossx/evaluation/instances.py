"""Measures of fine-grained retrieval, in which one photo of the gallery is right: the one that a sketch was drawn from.

The rank of a query is the number of photos with at least the score of its own photo, so that ties never help. With it:

- `acc_at_<k>`: share of queries with rank k or better.
- `mean_rank`, `median_rank` and `mrr`, the mean reciprocal rank.
- `within_class_acc_at_<k>`: the same among the photos of the query's class alone: what is left where no knowledge of
  the class helps.
- `class_at_1`: share of queries whose first photo has the query's class.
- `per_photo_acc_at_<k>`: mean over photos of the share of a photo's sketches with rank k or better. It is what choosing
  one sketch of each photo at random gives on average, computed exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.evaluation.functional import instance_accuracy, instance_ranks
from crossx.evaluation.ranking import CHUNK_SIZE, ScoreFunction, first_photos, scored_chunks, within

INSTANCE_ACC_AT = (1, 5, 10)


@dataclass(frozen=True, eq=False)
class InstanceScores:
    """Measures of each query, on the CPU.

    Attributes:
        own: Gallery position of the photo that each sketch was drawn from, (Q,) int64.
        label: Class of each query, (Q,) int64.
        ranks: Rank of the own photo in the query's gallery, (Q,) int64 from 1.
        class_ranks: Rank of the own photo among the photos of its class in the query's gallery, (Q,) int64 from 1.
        class_first: Whether the first photo has the query's class, (Q,) bool.
        photos: Number of photos in the query's gallery, (Q,) int64.
    """

    own: Tensor
    label: Tensor
    ranks: Tensor
    class_ranks: Tensor
    class_first: Tensor
    photos: Tensor

    def summary(self, acc_at: Sequence[int] = INSTANCE_ACC_AT) -> dict[str, float]:
        """Means over queries by the name of the metric.

        Args:
            acc_at: Numbers k of first places, each at least 1.
        """
        ranks = self.ranks.double()
        return {
            **{f"acc_at_{k}": instance_accuracy(self.ranks, k) for k in acc_at},
            "mean_rank": float(ranks.mean()),
            "median_rank": float(ranks.quantile(0.5)),
            "mrr": float((1 / ranks).mean()),
            **{f"within_class_acc_at_{k}": instance_accuracy(self.class_ranks, k) for k in acc_at},
            "class_at_1": float(self.class_first.double().mean()),
            **{f"per_photo_acc_at_{k}": self.per_photo(k) for k in acc_at},
        }

    def per_photo(self, k: int) -> float:
        """Mean over photos of the share of a photo's sketches whose rank is k or better, in [0, 1]."""
        must_be_in("k", k, "[1, inf)")
        _, photo = torch.unique(self.own, return_inverse=True)
        hits = torch.bincount(photo, (self.ranks <= k).double())
        return float((hits / photo.bincount()).mean())


def instance_scores(
    scores: ScoreFunction,
    own: Tensor,
    query_labels: Tensor,
    gallery_labels: Tensor,
    query_galleries: Tensor | None = None,
    galleries: Tensor | None = None,
    chunk_size: int = CHUNK_SIZE,
) -> InstanceScores:
    """Measure each query from scores that are computed a chunk of queries at a time.

    Args:
        scores: Scores of a chunk of queries, such as `cosine_scores(queries, gallery)`.
        own: Gallery position of the photo that each sketch was drawn from, (Q,) int64.
        query_labels: Class of each query, (Q,) int64.
        gallery_labels: Class of each photo, (G,) int64.
        query_galleries: Gallery that each query is ranked in, (Q,) int64, where several are measured together; None
            for one.
        galleries: Gallery of each photo, (G,) int64.
        chunk_size: Queries ranked at a time.

    Returns:
        The measures of each query, in the order of the labels.

    Raises:
        InputError: When a side is empty, an own photo has another class or gallery than its sketch, the chunk size is
            below 1, or scores are NaN or have a wrong shape.
    """
    if query_galleries is not None and galleries is not None:
        _check_same("gallery", query_galleries, galleries, own)
        scores = within(scores, query_galleries, galleries)
    _check_same("class", query_labels, gallery_labels, own)
    size = len(gallery_labels)
    photos = torch.full((len(own),), size)
    if query_galleries is not None and galleries is not None:
        photos = galleries.bincount()[query_galleries].cpu()
    chunks = scored_chunks(scores, query_labels, gallery_labels, chunk_size)
    first = [first_photos(chunk, 1).right[:, 0].cpu() for chunk in chunks]
    return InstanceScores(
        own=own.cpu(),
        label=query_labels.cpu(),
        ranks=instance_ranks(scores, own, size, chunk_size),
        class_ranks=instance_ranks(within(scores, query_labels, gallery_labels), own, size, chunk_size),
        class_first=torch.cat(first),
        photos=photos,
    )


def _check_same(what: str, of_queries: Tensor, of_photos: Tensor, own: Tensor) -> None:
    """Refuse an own photo that cannot be found: its score would be minus infinity, and its rank the worst."""
    if len(own):
        must_be_in("own", int(own.min()), "[0, inf)")
        must_be_in("own", int(own.max()), f"[0, {len(of_photos)})")
    different = of_queries.cpu() != of_photos.cpu()[own.cpu()]
    if different.any():
        query = int(different.nonzero()[0])
        raise InputError(f"own: must be a photo of the query's {what}, got another {what} for query {query}")
