"""Exact ranking of a gallery for each query, a chunk of queries at a time.

Ties are pessimistic: among photos with equal scores the wrong photos come first, then the smaller gallery index.
Measures therefore do not depend on the order of the gallery, and ties never help. (With ties in the order of the index
they would: galleries are stored class by class, and an encoder with one embedding for all images of 10 classes would
reach a mAP of 0.21, where chance is 0.10.)

Scores of any sign are valid (torchmetrics >= 1.8 takes a photo with a score <= 0 for not relevant).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError

ScoreFunction = Callable[[Tensor], Tensor]
"""Maps the positions of some queries, (B,) int64 on the CPU, to their scores against the whole gallery, (B, G); higher
is more similar. The full matrix of scores is never in memory."""

CHUNK_SIZE = 128
"""Number of queries ranked at a time; the peak memory is about 100 bytes x chunk size x G."""


class RankedChunk(NamedTuple):
    """Ranking of the whole gallery for some queries, best first.

    Attributes:
        gallery: Gallery positions, (B, G) int64.
        scores: Their scores, (B, G), not increasing.
        right: Whether they are relevant, (B, G) bool.
    """

    gallery: Tensor
    scores: Tensor
    right: Tensor


def _exact_unit_rows(x: Tensor, name: str) -> Tensor:
    """Unit vectors in float64 with entries that are whole multiples of 2**-26.

    Products of such entries are multiples of 2**-52 and no partial sum leaves [-1, 1], so that float64 holds each of
    them exactly: a dot product is the same in whatever order, chunk or device it is summed. Otherwise the kernel that
    BLAS chooses for the size of a chunk would decide between equal photos.
    """
    if x.ndim != 2 or len(x) == 0:
        raise InputError(f"{name}: must be embeddings (N, D) with N > 0, got the shape {tuple(x.shape)}")
    broken = int((~x.isfinite().all(dim=1)).sum())
    if broken:
        raise InputError(f"{name}: must be finite, got {broken} of {len(x)} that are not: the encoder has diverged")
    if x.device.type == "mps":  # has no float64
        x = x.cpu()
    return F.normalize(x.detach().double(), dim=1).mul_(2**26).round_().div_(2**26)


def cosine_scores(queries: Tensor, gallery: Tensor) -> ScoreFunction:
    """Cosine of each query with each photo, exact up to the rounding of the inputs (1e-8 an entry).

    Args:
        queries: (Q, D); rows need not have unit length.
        gallery: (G, D).

    Returns:
        Scores in [-1, 1], bit for bit the same for all chunk sizes.

    Raises:
        InputError: When a side is empty or not finite, or the widths differ.
    """
    q, g = _exact_unit_rows(queries, "queries"), _exact_unit_rows(gallery, "gallery")
    if q.shape[1] != g.shape[1]:
        raise InputError(f"queries and gallery: must be of one width, got width {q.shape[1]} and width {g.shape[1]}")
    return lambda rows: q[rows] @ g.T


def within(scores: ScoreFunction, query_groups: Tensor, gallery_groups: Tensor) -> ScoreFunction:
    """Scores within groups: a photo of another group than the query's comes behind all photos of its group.

    Args:
        scores: Scores of a chunk of queries.
        query_groups: Group of each query, (Q,) int64.
        gallery_groups: Group of each photo, (G,) int64.

    Returns:
        Scores that are minus infinity for photos of other groups.
    """

    def grouped(rows: Tensor) -> Tensor:
        chunk = scores(rows)
        own = query_groups[rows.to(query_groups.device)].to(chunk.device)
        return chunk.masked_fill(own[:, None] != gallery_groups.to(chunk.device), -torch.inf)

    return grouped


def check_labels(queries: Tensor, gallery: Tensor, query_labels: Tensor, gallery_labels: Tensor) -> None:
    """Check that there is one label for each row on both sides.

    Raises:
        InputError: When a label is missing or left over.
    """
    for name, rows, labels in (("query", queries, query_labels), ("gallery", gallery, gallery_labels)):
        if labels.shape != (len(rows),):
            raise InputError(f"{name}_labels: must have the shape ({len(rows)},), got {tuple(labels.shape)}")


def _chunks(scores: ScoreFunction, queries: int, gallery: int, chunk_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Positions of queries on the CPU and their checked scores, chunk by chunk."""
    must_be_in("chunk_size", chunk_size, "[1, inf)")
    if queries == 0 or gallery == 0:
        raise InputError(f"retrieval: must have a query and a photo, got {queries} queries and {gallery} photos")
    for rows in torch.split(torch.arange(queries), chunk_size):
        chunk = scores(rows)
        if chunk.shape != (len(rows), gallery):
            raise InputError(f"scores: must have the shape {(len(rows), gallery)}, got {tuple(chunk.shape)}")
        if chunk.isnan().any():
            raise InputError(f"scores: must be numbers, got NaN for a query among {int(rows[0])} to {int(rows[-1])}")
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
        # Two stable sorts: the first puts wrong photos before right ones, the second keeps that among equal scores.
        wrong_first = right.to(torch.uint8).argsort(dim=1, stable=True)
        ordered, places = chunk.gather(1, wrong_first).sort(dim=1, descending=True, stable=True)
        gallery = wrong_first.gather(1, places)
        yield RankedChunk(gallery, ordered, right.gather(1, gallery))


def right_places(
    scores: ScoreFunction, query_labels: Tensor, gallery_labels: Tensor, chunk_size: int = CHUNK_SIZE
) -> Iterator[tuple[Tensor, Tensor]]:
    """Places of the relevant photos alone, in the order of `rank` and in a third of its time.

    No position is carried through a sort: a photo's place is its number among the relevant ones plus the number of
    wrong photos with at least its score.

    Args:
        scores: Scores of a chunk of queries.
        query_labels: (Q,) int64.
        gallery_labels: (G,) int64.
        chunk_size: Queries at a time.

    Yields:
        For the next queries the number of relevant photos, (B,) int64, and the places of these, (B, R) int64 from 1,
        best first; R is the largest number, and a query with fewer relevant photos has places without meaning at the
        end.

    Raises:
        InputError: When a side is empty, the chunk size is below 1, or scores are NaN or have a wrong shape.
    """
    for rows, chunk in _chunks(scores, len(query_labels), len(gallery_labels), chunk_size):
        wanted = query_labels[rows.to(query_labels.device)].to(chunk.device)
        right = wanted[:, None] == gallery_labels.to(chunk.device)
        relevant = right.sum(dim=1)
        numbers = torch.arange(1, int(relevant.max()) + 1, device=chunk.device)
        wrong = _sorted(chunk.masked_fill(right, -torch.inf))
        # Best first, from the end: slicing by a negative number would take all where there is none.
        own = _sorted(chunk.masked_fill(~right, -torch.inf))[:, chunk.shape[1] - len(numbers) :].flip(1)
        above = chunk.shape[1] - torch.searchsorted(wrong, own)
        # No more than there are wrong ones: a score of -inf is not told from a place that was filled with it.
        yield relevant, numbers + above.minimum((chunk.shape[1] - relevant)[:, None])


def _sorted(scores: Tensor) -> Tensor:
    """Rows in ascending order; on the CPU by numpy, which takes a tenth of torch's time where no position is wanted."""
    if scores.device.type != "cpu":
        return scores.sort(dim=1).values
    return torch.from_numpy(np.sort(scores.detach().double().numpy(), axis=1))
