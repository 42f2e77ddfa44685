"""Exact retrieval measures as pure functions of scores and labels.

Definitions, with R the number of relevant photos of a query, rel(i) 1 where the photo at place i is relevant, h_k the
number of relevant photos among the first k, and P(i) = h_i / i:

- `map_all`: mean over queries of AP = (1/R) sum over i of P(i) rel(i); not interpolated.
- `map_at_200`: the same sum over the first 200 places, divided by min(200, R).
- `prec_at_<k>`: h_k / k, also where the gallery holds fewer than k photos.
- `acc_at_<k>`: share of queries with a relevant photo among the first k.
- `map_all_macro`: mean over classes of the mean AP of the class's queries.
- precision at recall r: the largest P(i) at or behind the place where the share r of the relevant photos has been found
  (interpolated, as the curves of the literature are), at `RECALLS`.

Ties are pessimistic: among photos with equal scores the wrong ones come first, then the smaller gallery index. So a
measure does not depend on the order of the gallery, and ties never help. (Ties by index alone would: galleries are
stored class by class, and an encoder that gives all images of 10 classes one embedding would reach a mAP of 0.21 where
chance is 0.10.)

A query without any relevant photo has no value: it is NaN, left out of every mean, and counted in
`RetrievalScores.without_relevant`. It is no error because a short validation run sees only a part of the gallery.

Scores are scores, whatever their sign (torchmetrics >= 1.8 takes a photo with a score <= 0 for not relevant).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.errors import InputError

ScoreFunction = Callable[[Tensor], Tensor]
"""Positions of some queries, (B,) int64 on the CPU, to their scores against the whole gallery, (B, G); higher is more
similar. What is ranked is never held whole."""

PREC_AT = (50, 100, 200)
ACC_AT = (1,)
RECALLS = tuple(level / 10 for level in range(11))
"""Where a precision-recall curve is measured."""
CHUNK_SIZE = 128
"""Queries ranked at a time; the peak is about 100 bytes x chunk size x G."""

_MAP_DEPTH = 200
_FIXED_POINT = 2**36


@dataclass(frozen=True, eq=False)
class RetrievalScores:
    """The measures of each query, on the CPU in float64; NaN where the gallery holds nothing relevant.

    Attributes:
        label: Class of each query, (Q,) int64.
        relevant: Number of relevant photos in the gallery, (Q,) int64.
        ap_all: Average precision over the whole gallery, (Q,) in [0, 1].
        ap_at_200: Average precision over the first 200 photos, divided by min(200, R), (Q,) in [0, 1].
        prec_at: k to precision among the first k photos, (Q,) in [0, 1].
        acc_at: k to 1 where a relevant photo is among the first k, else 0, (Q,).
        precision_at_recall: Interpolated precision at each of `RECALLS`, (Q, 11) in [0, 1].
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
        """Number of queries that no mean counts, because the gallery holds nothing relevant for them."""
        return int((self.relevant == 0).sum())

    def per_query(self) -> dict[str, Tensor]:
        """Metric name to the values of the queries, (Q,)."""
        return {
            "map_all": self.ap_all,
            "map_at_200": self.ap_at_200,
            **{f"prec_at_{k}": values for k, values in self.prec_at.items()},
            **{f"acc_at_{k}": values for k, values in self.acc_at.items()},
        }

    def over_queries(self) -> dict[str, float]:
        """Metric name to the mean over queries; NaN when no query counts."""
        return {name: float(values.nanmean()) for name, values in self.per_query().items()}

    def over_classes(self) -> dict[str, float]:
        """Metric name to the mean over classes of the mean over a class's queries; NaN when no query counts."""
        members = [self.label == c for c in torch.unique(self.label[self.relevant > 0])]
        return {
            name: float(torch.stack([values[m].nanmean() for m in members]).mean()) if members else float("nan")
            for name, values in self.per_query().items()
        }

    def summary(self) -> dict[str, float]:
        """The means over queries, and `map_all_macro`."""
        return {**self.over_queries(), "map_all_macro": self.over_classes()["map_all"]}

    def select(self, rows: Tensor) -> "RetrievalScores":
        """The scores of some queries only, such as those of shared classes.

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


class RankedChunk(NamedTuple):
    """The whole gallery ranked for some queries, best first.

    Attributes:
        gallery: Gallery positions, (B, G) int64.
        scores: Their scores, (B, G), not increasing.
        right: Whether they are relevant, (B, G) bool.
    """

    gallery: Tensor
    scores: Tensor
    right: Tensor


def _exact_unit_rows(x: Tensor, name: str) -> Tensor:
    """Unit vectors in float64 whose entries are whole multiples of 2**-26.

    Products of such entries are multiples of 2**-52 and no partial sum leaves [-1, 1], so that float64 holds each of
    them exactly: a dot product is the same in whatever order, chunk or device it is summed. Otherwise the kernel that
    the BLAS picks for a chunk's size would decide between equal photos.
    """
    if x.ndim != 2 or len(x) == 0:
        raise InputError(f"{name}: shape {tuple(x.shape)}, legal are embeddings (N, D) with N > 0")
    broken = int((~x.isfinite().all(dim=1)).sum())
    if broken:
        raise InputError(f"{name}: {broken} of {len(x)} embeddings are not finite (the encoder has diverged)")
    if x.device.type == "mps":  # has no float64
        x = x.cpu()
    return F.normalize(x.detach().double(), dim=1).mul_(2**26).round_().div_(2**26)


def cosine_scores(queries: Tensor, gallery: Tensor) -> ScoreFunction:
    """Cosine of each query with each photo, exact up to the rounding of the inputs (1e-8 an entry).

    Args:
        queries: (Q, D); rows need not have unit length.
        gallery: (G, D).

    Returns:
        Scores in [-1, 1] that have the same bits whatever the chunks.

    Raises:
        InputError: When a side is empty or not finite, or the widths differ.
    """
    q, g = _exact_unit_rows(queries, "queries"), _exact_unit_rows(gallery, "gallery")
    if q.shape[1] != g.shape[1]:
        raise InputError(f"queries have width {q.shape[1]} and the gallery {g.shape[1]}: widths must agree")
    return lambda rows: q[rows] @ g.T


def check_labels(queries: Tensor, gallery: Tensor, query_labels: Tensor, gallery_labels: Tensor) -> None:
    """Check that there is one label for each row on both sides.

    Raises:
        InputError: When there is not.
    """
    for name, rows, labels in (("query", queries, query_labels), ("gallery", gallery, gallery_labels)):
        if labels.shape != (len(rows),):
            raise InputError(f"{name}_labels: shape {tuple(labels.shape)}, legal is ({len(rows)},), one for each row")


def _chunks(scores: ScoreFunction, queries: int, gallery: int, chunk_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Query positions on the CPU and their checked scores, chunk by chunk."""
    if chunk_size < 1:
        raise InputError(f"chunk_size: {chunk_size}, legal is 1 or more")
    if queries == 0 or gallery == 0:
        raise InputError(f"{queries} queries and {gallery} photos: retrieval needs at least one of each")
    for rows in torch.split(torch.arange(queries), chunk_size):
        chunk = scores(rows)
        if chunk.shape != (len(rows), gallery):
            raise InputError(f"scores: shape {tuple(chunk.shape)}, legal is {(len(rows), gallery)} for this chunk")
        if chunk.isnan().any():
            raise InputError(f"scores: NaN for a query among {int(rows[0])} to {int(rows[-1])}")
        yield rows, chunk


def rank(
    scores: ScoreFunction, query_labels: Tensor, gallery_labels: Tensor, chunk_size: int = CHUNK_SIZE
) -> Iterator[RankedChunk]:
    """Rank the gallery for each query: higher scores first, then wrong before right, then the smaller position.

    Args:
        scores: Scores of a chunk of queries.
        query_labels: (Q,) int64.
        gallery_labels: (G,) int64.
        chunk_size: Queries ranked at a time.

    Yields:
        The rankings of the next queries.

    Raises:
        InputError: When a side is empty, the chunk size is below 1, or scores are NaN or have a wrong shape.
    """
    for rows, chunk in _chunks(scores, len(query_labels), len(gallery_labels), chunk_size):
        wanted = query_labels[rows.to(query_labels.device)].to(chunk.device)
        right = wanted[:, None] == gallery_labels.to(chunk.device)
        # Two stable sorts: the first puts the wrong photos before the right ones, the second keeps that among equals.
        wrong_first = right.to(torch.uint8).argsort(dim=1, stable=True)
        ordered, places = chunk.gather(1, wrong_first).sort(dim=1, descending=True, stable=True)
        gallery = wrong_first.gather(1, places)
        yield RankedChunk(gallery, ordered, right.gather(1, gallery))


def average_precision(right: Tensor, depth: int | None = None) -> Tensor:
    """Average precision of whole ranked lists: sum of P(i) rel(i) over the first places, divided by min(depth, R).

    Args:
        right: Whether the photo at each place is relevant, best place first, (B, G) bool; the whole gallery.
        depth: Number of first places that count; None for all.

    Returns:
        (B,) float64 in [0, 1]; NaN where nothing is relevant.
    """
    depth = right.shape[1] if depth is None else depth
    first = right[:, :depth]
    places = torch.arange(1, first.shape[1] + 1, device=right.device)
    precision = first.cumsum(dim=1).double() / places
    # Fixed point, because sums of integers are exact: neither chunks nor threads nor the device change a bit. It costs
    # 7e-12 and overflows beyond 10**8 relevant photos.
    total = (precision * _FIXED_POINT).round().long().mul(first).sum(dim=1)
    return total.double() / _FIXED_POINT / right.sum(dim=1).clamp(max=depth)


def precision_at(right: Tensor, k: int) -> Tensor:
    """h_k / k of ranked lists; a gallery of fewer than k photos is as good as one filled up with wrong photos.

    Args:
        right: Whether the photo at each place is relevant, best place first, (B, G) bool; the whole gallery.
        k: Number of first places.

    Returns:
        (B,) float64 in [0, 1]; NaN where nothing is relevant.
    """
    return (right[:, :k].sum(dim=1).double() / k).masked_fill(~right.any(dim=1), float("nan"))


def accuracy_at(right: Tensor, k: int) -> Tensor:
    """Whether one of the first k places of ranked lists is relevant.

    Args:
        right: Whether the photo at each place is relevant, best place first, (B, G) bool; the whole gallery.
        k: Number of first places.

    Returns:
        (B,) float64, 0 or 1; NaN where nothing is relevant.
    """
    return right[:, :k].any(dim=1).double().masked_fill(~right.any(dim=1), float("nan"))


def precision_at_recall(right: Tensor, recalls: Sequence[float] = RECALLS) -> Tensor:
    """Interpolated precision of ranked lists: the largest at or behind the place that reaches a recall.

    Args:
        right: Whether the photo at each place is relevant, best place first, (B, G) bool; the whole gallery.
        recalls: Shares of the relevant photos, in [0, 1].

    Returns:
        (B, number of recalls) float64 in [0, 1]; NaN where nothing is relevant.
    """
    places = torch.arange(1, right.shape[1] + 1, device=right.device)
    found = right.cumsum(dim=1)
    best = (found.double() / places).flip(1).cummax(dim=1).values.flip(1)
    relevant = found[:, -1:]
    shares = torch.tensor(recalls, dtype=torch.float64, device=right.device)
    # 0.07 x 100 is a little more than 7 in binary.
    wanted = (shares * relevant - 1e-9).ceil().clamp(min=1).long()
    place = torch.searchsorted(found, wanted).clamp(max=right.shape[1] - 1)
    return best.gather(1, place).masked_fill(relevant == 0, float("nan"))


def retrieval_scores(
    scores: ScoreFunction,
    query_labels: Tensor,
    gallery_labels: Tensor,
    prec_at: Sequence[int] = PREC_AT,
    acc_at: Sequence[int] = ACC_AT,
    chunk_size: int = CHUNK_SIZE,
) -> RetrievalScores:
    """All measures of each query, from scores that are made a chunk of queries at a time.

    The chunk size changes nothing but memory and speed, provided that it does not change the scores.

    Args:
        scores: Scores of a chunk of queries, such as `cosine_scores(queries, gallery)`.
        query_labels: (Q,) int64.
        gallery_labels: (G,) int64.
        prec_at: The k of the precisions.
        acc_at: The k of the accuracies.
        chunk_size: Queries ranked at a time.

    Returns:
        The measures of each query, in the order of the labels.

    Raises:
        InputError: When a side is empty, a k or the chunk size is below 1, or scores are NaN or have a wrong shape.
    """
    for name, depths in (("prec_at", prec_at), ("acc_at", acc_at)):
        if any(k < 1 for k in depths):
            raise InputError(f"{name}: {list(depths)}, legal are numbers of 1 or more")
    relevant, ap_all, ap_at_200, at_recall = [], [], [], []
    precisions: dict[int, list[Tensor]] = {k: [] for k in prec_at}
    accuracies: dict[int, list[Tensor]] = {k: [] for k in acc_at}
    for chunk in rank(scores, query_labels, gallery_labels, chunk_size):
        relevant.append(chunk.right.sum(dim=1).cpu())
        ap_all.append(average_precision(chunk.right).cpu())
        ap_at_200.append(average_precision(chunk.right, _MAP_DEPTH).cpu())
        at_recall.append(precision_at_recall(chunk.right).cpu())
        for k, parts in precisions.items():
            parts.append(precision_at(chunk.right, k).cpu())
        for k, parts in accuracies.items():
            parts.append(accuracy_at(chunk.right, k).cpu())
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
    """All measures of each query for embeddings compared by their cosine.

    Args:
        queries: (Q, D).
        gallery: (G, D).
        query_labels: (Q,) int64.
        gallery_labels: (G,) int64.
        prec_at: The k of the precisions.
        acc_at: The k of the accuracies.
        chunk_size: Queries ranked at a time; it changes no bit of the result.

    Returns:
        The measures of each query.

    Raises:
        InputError: When a side is empty or not finite, widths or lengths disagree, or a k or the chunk size is below 1.
    """
    check_labels(queries, gallery, query_labels, gallery_labels)
    return retrieval_scores(cosine_scores(queries, gallery), query_labels, gallery_labels, prec_at, acc_at, chunk_size)
