"""Ranked lists for inspection, and confidence intervals of the difference of two methods."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.core.tensor_files import atomic_path
from crossx.evaluation.measures import average_precision
from crossx.evaluation.ranking import (
    CHUNK_SIZE,
    check_labels,
    cosine_scores,
    first_photos,
    right_places,
    scored_chunks,
)


@dataclass(frozen=True, eq=False)
class RetrievalResults:
    """First k photos of each query, on the CPU.

    Attributes:
        gallery: Gallery positions, best first, (Q, k) int64.
        scores: Their scores, not increasing, (Q, k).
        right: Whether they have the query's class, (Q, k) bool.
        ap_all: Average precision of each query over the whole gallery, (Q,); NaN where nothing is relevant.

    Raises:
        InputError: When shapes disagree, scores increase or are NaN, or a photo stands twice in a list.
    """

    gallery: Tensor
    scores: Tensor
    right: Tensor
    ap_all: Tensor

    def __post_init__(self) -> None:
        shape = self.gallery.shape
        if len(shape) != 2 or self.scores.shape != shape or self.right.shape != shape or self.ap_all.shape != shape[:1]:
            shapes = [tuple(t.shape) for t in (self.gallery, self.scores, self.right, self.ap_all)]
            raise InputError(
                f"gallery, scores, right, ap_all: must be (Q, k), (Q, k), (Q, k), (Q,), got the shapes {shapes}"
            )
        self._refuse(self.scores.isnan().any(dim=1), "scores: must be numbers, got NaN")
        rising = (self.scores[:, 1:] > self.scores[:, :-1]).any(dim=1)
        self._refuse(rising, "scores: must be sorted, best first, got a rising one")
        photos = self.gallery.sort(dim=1).values
        self._refuse(
            (photos[:, 1:] == photos[:, :-1]).any(dim=1), "gallery: must have each photo once, got a photo twice"
        )

    @staticmethod
    def _refuse(bad: Tensor, what: str) -> None:
        if bad.any():
            raise InputError(f"{what} in the list of query {int(bad.nonzero()[0])}")

    @classmethod
    def from_embeddings(
        cls,
        queries: Tensor,
        gallery: Tensor,
        query_labels: Tensor,
        gallery_labels: Tensor,
        k: int = 10,
        chunk_size: int = CHUNK_SIZE,
    ) -> "RetrievalResults":
        """Rank the gallery by cosine, in the order that the measures use.

        Args:
            queries: (Q, D).
            gallery: (G, D).
            query_labels: (Q,) int64.
            gallery_labels: (G,) int64.
            k: Number of photos kept for each query, at least 1; all when the gallery is smaller.
            chunk_size: Queries ranked at a time.

        Returns:
            The ranked lists.

        Raises:
            InputError: When a side is empty or not finite, widths or lengths disagree, or k or the chunk size is
                below 1.
        """
        must_be_in("k", k, "[1, inf)")
        check_labels(queries, gallery, query_labels, gallery_labels)
        parts = [
            (*(part.cpu() for part in first_photos(chunk, k)), average_precision(right_places(chunk)).cpu())
            for chunk in scored_chunks(cosine_scores(queries, gallery), query_labels, gallery_labels, chunk_size)
        ]
        return cls(*(torch.cat(columns) for columns in zip(*parts, strict=True)))

    def worst_queries(self, n: int) -> Tensor:
        """Positions of the n queries with the lowest average precision, worst first, (<= n,) int64.

        Queries without a relevant photo are not among them.
        """
        order = self.ap_all.argsort(stable=True)
        return order[~self.ap_all[order].isnan()][:n]

    def to_csv(self, path: str | Path, queries: Sequence[str] = (), gallery: Sequence[str] = ()) -> None:
        """Write one row for each query and place: query, ap_all, rank (from 1), photo, score, right (0 or 1).

        Query and photo are positions in the lists that were ranked, from 0. The file appears whole or not at all; its
        folder is made.

        Args:
            path: File to write.
            queries: Name of each query, (Q,), for another column `query_name`; empty for none.
            gallery: Name of each photo, (G,), for another column `photo_name`; empty for none.

        Raises:
            InputError: When a query or a photo of the lists has no name.
        """
        for side, names, most in (("queries", queries, len(self.ap_all)), ("gallery", gallery, self.gallery.max() + 1)):
            if names and len(names) < most:
                raise InputError(f"{side}: must have a name for each of {int(most)}, got {len(names)} names")
        with atomic_path(Path(path)) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            columns = ["query", "ap_all", "rank", "photo", "score", "right"]
            writer.writerow(columns + ["query_name"] * bool(queries) + ["photo_name"] * bool(gallery))
            for query, ap in enumerate(self.ap_all.tolist()):
                ranked = (self.gallery[query].tolist(), self.scores[query].tolist(), self.right[query].tolist())
                for place, (photo, score, right) in enumerate(zip(*ranked, strict=True), start=1):
                    words = [names[i] for names, i in ((queries, query), (gallery, photo)) if names]
                    writer.writerow([query, f"{ap:.6f}", place, photo, f"{score:.6f}", int(right), *words])


class Interval(NamedTuple):
    """Estimate with its 95 % bootstrap interval."""

    estimate: float
    low: float
    high: float


_DRAWN_AT_ONCE = 2**20
"""Number of queries drawn at a time; their positions take 8 MiB."""


def paired_bootstrap(
    a: Tensor, b: Tensor, samples: int = 10_000, seed: int = 0, classes: Tensor | None = None
) -> Interval:
    """Mean of a - b over queries, with the percentile interval of resampled queries, or of resampled classes.

    Both methods are resampled with the same queries, because a hard query is hard for both. Where methods differ by
    class more than by query, an interval over queries is too narrow for statements about other classes; a resampled
    class contributes all its queries.

    Args:
        a: A method's values, one for each query, (Q,), such as `RetrievalScores.ap_all`.
        b: The other method's values of the same queries, (Q,).
        samples: Number of resamplings.
        seed: Seed of the resampling.
        classes: Class of each query, (Q,) int64, to resample classes in place of queries.

    Returns:
        The difference and the bounds between which 95 % of the resampled differences lie. Queries that are NaN in
        both (they have no relevant photo) do not count.

    Raises:
        InputError: When lengths differ, a query is NaN in only one of both, no query is left, or samples is below 1.
    """
    values, place = _counted(a, b, classes)
    difference = values[0] - values[1]
    return _interval(float(difference.mean()), _resampled_means(difference[None], place, samples, seed)[0])


def paired_ratio(a: Tensor, b: Tensor, samples: int = 10_000, seed: int = 0, classes: Tensor | None = None) -> Interval:
    """Ratio of the mean of a to the mean of b, with the interval of `paired_bootstrap`.

    Args:
        a: As for `paired_bootstrap`.
        b: As for `paired_bootstrap`; above 0 for every query that counts, as average precisions are.
        samples: As for `paired_bootstrap`.
        seed: As for `paired_bootstrap`.
        classes: As for `paired_bootstrap`.

    Raises:
        InputError: As for `paired_bootstrap`, and when a value of b is not above 0.
    """
    values, place = _counted(a, b, classes)
    must_be_in("b", float(values[1].min()), "(0, inf)")
    over, under = _resampled_means(values, place, samples, seed)
    return _interval(float(values[0].mean() / values[1].mean()), over / under)


_Array = npt.NDArray[np.float64]


def _counted(a: Tensor, b: Tensor, classes: Tensor | None) -> tuple[_Array, npt.NDArray[np.intp]]:
    """Values of both methods for the queries that have one, (2, Q'), and the group each query is drawn with, (Q',)."""
    if a.ndim != 1 or a.shape != b.shape:
        raise InputError(f"a and b: must have the shape (Q,), got the shapes {tuple(a.shape)} and {tuple(b.shape)}")
    if classes is not None and classes.shape != a.shape:
        raise InputError(f"classes: must have the shape of a, {tuple(a.shape)}, got {tuple(classes.shape)}")
    counted = ~a.isnan()
    if not torch.equal(counted, ~b.isnan()):
        raise InputError("a and b: must be of the same queries and gallery, got a query that is NaN in only one")
    if not counted.any():
        raise InputError("a and b: must have a query with a value, got no query with one")
    values = torch.stack([a.double(), b.double()])[:, counted].cpu().numpy()
    if classes is None:
        return values, np.arange(values.shape[1])
    return values, np.unique(classes[counted].cpu().numpy(), return_inverse=True)[1]


def _resampled_means(values: _Array, place: npt.NDArray[np.intp], samples: int, seed: int) -> _Array:
    """Means over queries of each row of (N, Q') values when groups are drawn with replacement, (N, samples)."""
    must_be_in("samples", samples, "[1, inf)")
    sums, sizes = np.stack([np.bincount(place, row) for row in values]), np.bincount(place).astype(float)
    generator = np.random.Generator(np.random.Philox(seed))
    means: list[_Array] = []
    left = samples
    while left:
        rows = min(left, 1 + _DRAWN_AT_ONCE // len(sizes))
        draws = generator.integers(len(sizes), size=(rows, len(sizes)))
        means.append(sums[:, draws].sum(2) / sizes[draws].sum(1))
        left -= rows
    return np.concatenate(means, axis=1)


def _interval(estimate: float, resampled: _Array) -> Interval:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Interval(estimate, float(low), float(high))
