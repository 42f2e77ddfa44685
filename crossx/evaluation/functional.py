"""Exact retrieval measures as pure functions of scores and labels.

Definitions, with R the number of relevant photos of a query, rel(i) 1 where the photo at place i is relevant, h_k the
number of relevant photos among the first k, and P(i) = h_i / i:

- `map_all`: mean over queries of AP = (1/R) sum over i of P(i) rel(i); not interpolated.
- `map_at_200`: the same sum over the first 200 places, divided by min(200, R).
- `prec_at_<k>`: h_k / k, also where the gallery holds fewer than k photos.
- `acc_at_<k>`: share of queries with a relevant photo among the first k.
- `map_all_macro`: mean over classes of the mean AP of the class's queries.
- precision at recall r: the largest P(i) at or behind the place where the share r of the relevant photos has been found
  (interpolated, as the curves of the literature are), at `measures.RECALLS`.

A query without any relevant photo has the value NaN, is left out of every mean, and is counted in
`RetrievalScores.without_relevant`. It is not an error, because a short validation run uses only a part of the gallery.
For ties see `crossx.evaluation.ranking`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.evaluation.measures import accuracy_at, average_precision, precision_at, precision_at_recall
from crossx.evaluation.ranking import (
    CHUNK_SIZE,
    ScoreFunction,
    check_labels,
    cosine_scores,
    right_places,
    scored_chunks,
)

PREC_AT = (50, 100, 200)
ACC_AT = (1,)
_MAP_DEPTH = 200


@dataclass(frozen=True, eq=False)
class RetrievalScores:
    """Measures of each query, on the CPU in float64; NaN where the gallery holds nothing relevant.

    Attributes:
        label: Class of each query, (Q,) int64.
        relevant: Number of relevant photos in the gallery, (Q,) int64.
        ap_all: Average precision over the whole gallery, (Q,) in [0, 1].
        ap_at_200: Average precision over the first 200 photos, divided by min(200, R), (Q,) in [0, 1].
        prec_at: k to precision among the first k photos, (Q,) in [0, 1].
        acc_at: k to 1 where a relevant photo is among the first k, else 0, (Q,).
        precision_at_recall: Interpolated precision at each of `measures.RECALLS`, (Q, 11) in [0, 1].
    """

    label: Tensor
    relevant: Tensor
    ap_all: Tensor
    ap_at_200: Tensor
    prec_at: dict[int, Tensor]
    acc_at: dict[int, Tensor]
    precision_at_recall: Tensor

    @property
    def without_relevant(self) -> int:
        """Number of queries that are left out of the means, because nothing in the gallery is relevant to them."""
        return int((self.relevant == 0).sum())

    def per_query(self) -> dict[str, Tensor]:
        """Values of the queries, (Q,), by the name of the metric."""
        return {
            "map_all": self.ap_all,
            "map_at_200": self.ap_at_200,
            **{f"prec_at_{k}": values for k, values in self.prec_at.items()},
            **{f"acc_at_{k}": values for k, values in self.acc_at.items()},
        }

    def over_queries(self) -> dict[str, float]:
        """Mean over queries by the name of the metric; NaN when no query counts."""
        return {name: float(values.nanmean()) for name, values in self.per_query().items()}

    def over_classes(self) -> dict[str, float]:
        """Mean over classes of the mean over a class's queries, by the name of the metric; NaN when no query counts."""
        members = [self.label == c for c in torch.unique(self.label[self.relevant > 0])]
        return {
            name: float(torch.stack([values[m].nanmean() for m in members]).mean()) if members else float("nan")
            for name, values in self.per_query().items()
        }

    def summary(self) -> dict[str, float]:
        """Means over queries, and `map_all_macro`."""
        return {**self.over_queries(), "map_all_macro": self.over_classes()["map_all"]}

    def select(self, rows: Tensor) -> "RetrievalScores":
        """Scores of some queries, such as those of shared classes.

        Args:
            rows: Positions, (N,) int64, or mask, (Q,) bool; on the CPU.
        """
        return RetrievalScores(
            label=self.label[rows],
            relevant=self.relevant[rows],
            ap_all=self.ap_all[rows],
            ap_at_200=self.ap_at_200[rows],
            prec_at={k: values[rows] for k, values in self.prec_at.items()},
            acc_at={k: values[rows] for k, values in self.acc_at.items()},
            precision_at_recall=self.precision_at_recall[rows],
        )


def retrieval_scores(
    scores: ScoreFunction,
    query_labels: Tensor,
    gallery_labels: Tensor,
    prec_at: Sequence[int] = PREC_AT,
    acc_at: Sequence[int] = ACC_AT,
    chunk_size: int = CHUNK_SIZE,
) -> RetrievalScores:
    """Compute all measures of each query from scores that are computed a chunk of queries at a time.

    The chunk size affects memory and speed only, provided that it does not change the scores.

    Args:
        scores: Scores of a chunk of queries, such as `cosine_scores(queries, gallery)`.
        query_labels: (Q,) int64.
        gallery_labels: (G,) int64.
        prec_at: Numbers k of first places for the precisions, each at least 1.
        acc_at: Numbers k of first places for the accuracies, each at least 1.
        chunk_size: Queries ranked at a time.

    Returns:
        The measures of each query, in the order of the labels.

    Raises:
        InputError: When a side is empty, a k or the chunk size is below 1, or scores are NaN or have a wrong shape.
    """
    for name, depths in (("prec_at", prec_at), ("acc_at", acc_at)):
        for k in depths:
            must_be_in(name, k, "[1, inf)")
    relevant, ap_all, ap_at_200, at_recall = [], [], [], []
    precisions: dict[int, list[Tensor]] = {k: [] for k in prec_at}
    accuracies: dict[int, list[Tensor]] = {k: [] for k in acc_at}
    for chunk in scored_chunks(scores, query_labels, gallery_labels, chunk_size):
        found = right_places(chunk)
        relevant.append(found.relevant.cpu())
        ap_all.append(average_precision(found).cpu())
        ap_at_200.append(average_precision(found, _MAP_DEPTH).cpu())
        at_recall.append(precision_at_recall(found).cpu())
        for k, parts in precisions.items():
            parts.append(precision_at(found, k).cpu())
        for k, parts in accuracies.items():
            parts.append(accuracy_at(found, k).cpu())
    return RetrievalScores(
        label=query_labels.cpu(),
        relevant=torch.cat(relevant),
        ap_all=torch.cat(ap_all),
        ap_at_200=torch.cat(ap_at_200),
        prec_at={k: torch.cat(parts) for k, parts in precisions.items()},
        acc_at={k: torch.cat(parts) for k, parts in accuracies.items()},
        precision_at_recall=torch.cat(at_recall),
    )


def embedding_scores(
    queries: Tensor,
    gallery: Tensor,
    query_labels: Tensor,
    gallery_labels: Tensor,
    prec_at: Sequence[int] = PREC_AT,
    acc_at: Sequence[int] = ACC_AT,
    chunk_size: int = CHUNK_SIZE,
) -> RetrievalScores:
    """Compute all measures of each query for embeddings that are compared by their cosine.

    Args:
        queries: (Q, D).
        gallery: (G, D).
        query_labels: (Q,) int64.
        gallery_labels: (G,) int64.
        prec_at: Numbers k of first places for the precisions, each at least 1.
        acc_at: Numbers k of first places for the accuracies, each at least 1.
        chunk_size: Queries ranked at a time; it changes no bit of the result.

    Returns:
        The measures of each query.

    Raises:
        InputError: When a side is empty or not finite, widths or lengths disagree, or a k or the chunk size is below 1.
    """
    check_labels(queries, gallery, query_labels, gallery_labels)
    return retrieval_scores(cosine_scores(queries, gallery), query_labels, gallery_labels, prec_at, acc_at, chunk_size)


def instance_ranks(scores: ScoreFunction, own: Tensor, gallery_size: int, chunk_size: int = CHUNK_SIZE) -> Tensor:
    """Rank of each query's own photo: the number of photos with at least its score, so 1 is best and ties count.

    Args:
        scores: Scores of a chunk of queries.
        own: Gallery position of the photo that each sketch was drawn from, (Q,) int64.
        gallery_size: G.
        chunk_size: Queries at a time.

    Returns:
        (Q,) int64 on the CPU, 1 to G.

    Raises:
        InputError: When a side is empty, a position is not in the gallery, or scores are NaN or have a wrong shape.
    """
    for position in (own.min(), own.max()) if len(own) else ():
        must_be_in("own", int(position), f"[0, {gallery_size})")
    chunks = scored_chunks(scores, own, torch.arange(gallery_size), chunk_size)
    return torch.cat([(c.scores >= c.scores[c.right][:, None]).sum(dim=1).cpu() for c in chunks])


def instance_accuracy(ranks: Tensor, k: int) -> float:
    """Share of the queries whose own photo has rank k or better, in [0, 1].

    Args:
        ranks: Ranks from 1, (Q,) int64.
        k: Number of first places, at least 1.
    """
    must_be_in("k", k, "[1, inf)")
    return float((ranks <= k).double().mean())
