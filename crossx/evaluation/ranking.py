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
"""Number of queries ranked at a time; the peak memory is about 20 bytes x chunk size x G."""


class ScoredChunk(NamedTuple):
    """Scores of the whole gallery for some queries.

    Attributes:
        scores: (B, G); higher is more similar.
        right: Whether each photo is relevant, (B, G) bool.
    """

    scores: Tensor
    right: Tensor


class RightPlaces(NamedTuple):
    """Places of the relevant photos in the rankings of some queries.

    Attributes:
        relevant: Number of relevant photos of each query, (B,) int64.
        places: Their places, (B, R) int64 from 1, best first; R is the largest number. The last places of a query with
            fewer relevant photos mean nothing (`counted`).
    """

    relevant: Tensor
    places: Tensor

    @property
    def numbers(self) -> Tensor:
        """Number of relevant photos down to each place, (R,) int64: 1, 2, ..., R."""
        return torch.arange(1, self.places.shape[1] + 1, device=self.places.device)

    @property
    def counted(self) -> Tensor:
        """Whether each place is that of a relevant photo, (B, R) bool."""
        return self.numbers <= self.relevant[:, None]


class FirstPhotos(NamedTuple):
    """First photos of the rankings of some queries, best first.

    Attributes:
        gallery: Gallery positions, (B, k) int64.
        scores: Their scores, (B, k), not increasing.
        right: Whether they are relevant, (B, k) bool.
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
        if chunk.sum().isnan() and chunk.isnan().any():  # a sum costs less; those of both infinities are NaN, too
            raise InputError(f"scores: must be numbers, got NaN for a query among {int(rows[0])} to {int(rows[-1])}")
        yield rows, chunk


def scored_chunks(
    scores: ScoreFunction, query_labels: Tensor, gallery_labels: Tensor, chunk_size: int = CHUNK_SIZE
) -> Iterator[ScoredChunk]:
    """Score the gallery for each query, and say what is relevant.

    Args:
        scores: Scores of a chunk of queries.
        query_labels: (Q,) int64.
        gallery_labels: (G,) int64.
        chunk_size: Queries at a time.

    Yields:
        The scores of the next queries.

    Raises:
        InputError: When a side is empty, the chunk size is below 1, or scores are NaN or have a wrong shape.
    """
    for rows, chunk in _chunks(scores, len(query_labels), len(gallery_labels), chunk_size):
        wanted = query_labels[rows.to(query_labels.device)].to(chunk.device)
        yield ScoredChunk(chunk, wanted[:, None] == gallery_labels.to(chunk.device))


def right_places(chunk: ScoredChunk) -> RightPlaces:
    """Find the places of the relevant photos, without a ranking of the others.

    One sort of the scores is enough, and no position is carried through it: a photo's place is its number among the
    relevant ones plus the number of wrong photos with at least its score.
    """
    positions, relevant = _columns(chunk.right)
    numbers = torch.arange(1, positions.shape[1] + 1, device=positions.device)
    missing = numbers > relevant[:, None]
    every = _sorted(chunk.scores)
    own = _sorted(chunk.scores.gather(1, positions).masked_fill(missing, -torch.inf))
    best_first = own.flip(1)
    at_least = chunk.scores.shape[1] - torch.searchsorted(every, best_first)
    # A score of minus infinity is not told from a filled place, so no more than there are relevant ones.
    own_at_least = (own.shape[1] - torch.searchsorted(own, best_first)).minimum(relevant[:, None])
    return RightPlaces(relevant, numbers + at_least - own_at_least)


def first_photos(chunk: ScoredChunk, k: int) -> FirstPhotos:
    """Rank the first k photos: higher scores first, then wrong before right, then the smaller position.

    Args:
        chunk: Scores of some queries.
        k: Number of first places, at least 1; all photos where the gallery has fewer.
    """
    k = min(k, chunk.scores.shape[1])
    least = chunk.scores.topk(k, dim=1).values[:, -1:]
    positions, count = _columns(chunk.scores >= least)
    missing = torch.arange(positions.shape[1], device=positions.device) >= count[:, None]
    scores = chunk.scores.gather(1, positions).masked_fill(missing, -torch.inf)
    right = chunk.right.gather(1, positions) | missing  # behind all others of minus infinity
    # Stable sorts: positions rise, then wrong photos go before right ones, then higher scores before lower ones.
    wrong_first = right.to(torch.uint8).argsort(dim=1, stable=True)
    ordered, places = scores.gather(1, wrong_first).sort(dim=1, descending=True, stable=True)
    order = wrong_first.gather(1, places)[:, :k]
    return FirstPhotos(positions.gather(1, order), ordered[:, :k], right.gather(1, order))


def _columns(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Columns that a mask (B, G) selects in each row, rising, (B, M), filled up with 0; and their number, (B,)."""
    row, column = mask.nonzero(as_tuple=True)
    count = torch.bincount(row, minlength=len(mask))
    columns = column.new_zeros(len(mask), int(count.max()))
    columns[row, torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]] = column
    return columns, count


def _sorted(scores: Tensor) -> Tensor:
    """Rows in ascending order; on the CPU by numpy, which takes a tenth of torch's time where no position is wanted."""
    if scores.device.type != "cpu":
        return scores.sort(dim=1).values
    return torch.from_numpy(np.sort(scores.detach().double().numpy(), axis=1))
