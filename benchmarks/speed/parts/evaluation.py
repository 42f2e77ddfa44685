"""Exact measures of retrieval."""

from dataclasses import replace

import numpy as np
import torch
from torchmetrics.retrieval import RetrievalHitRate, RetrievalMAP, RetrievalPrecision
from torchmetrics.retrieval.base import RetrievalMetric

from benchmarks.speed.effort import Effort
from benchmarks.speed.timing import Row, in_turn, scaled
from crossx.evaluation.functional import PREC_AT, retrieval_scores
from crossx.evaluation.ranking import cosine_scores

CROSSX, NUMPY, TORCHMETRICS, ALL_TORCHMETRICS, PYTHON = (
    "crossx, all measures",
    "numpy loop, mAP alone",
    "torchmetrics, mAP alone",
    "torchmetrics, six measures",
    "published, mAP alone",
)
ALL_QUERIES = 15_229
"""Sketches of a large test split."""
_CLASSES, _DIM = 125, 64
_SLOW_SHARE = 20
"""The slow ways are timed on this part of the queries; their cost is the same for each query."""


def measure(effort: Effort) -> list[Row]:
    """Time all measures over a gallery, beside other ways to compute one of them."""
    row = beside_numpy(effort)
    queries, gallery, labels, gallery_labels = drawn(max(effort.queries // _SLOW_SHARE, 1), effort.photos)
    slow = in_turn(
        {
            TORCHMETRICS: lambda: torchmetrics_map(queries, gallery, labels, gallery_labels),
            ALL_TORCHMETRICS: lambda: torchmetrics_all(queries, gallery, labels, gallery_labels),
            PYTHON: lambda: python_loop(queries, gallery, labels, gallery_labels),
        },
        rounds=3,
    )
    each = {way: scaled(t, 1 / len(queries)) for way, t in slow.items()}
    return [replace(row, seconds={**row.seconds, **each})]


def beside_numpy(effort: Effort) -> Row:
    """Time all measures of a query beside a loop in numpy, both in one thread."""
    queries, gallery, labels, gallery_labels = drawn(effort.queries, effort.photos)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # numpy sorts in one
    try:
        taken = in_turn(
            {
                CROSSX: lambda: retrieval_scores(cosine_scores(queries, gallery), labels, gallery_labels).summary(),
                NUMPY: lambda: numpy_loop(*(x.numpy() for x in (queries, gallery, labels, gallery_labels))),
            },
            rounds=7,
        )
    finally:
        torch.set_num_threads(threads)
    note = (
        f"{effort.photos:,} photos, {_DIM} dimensions, one thread; {ALL_QUERIES:,} queries take so many times as long"
    )
    return Row("measures of one query", {way: scaled(t, 1 / effort.queries) for way, t in taken.items()}, note)


def drawn(queries: int, photos: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Unit vectors of sketches and photos, and their classes."""
    generator = torch.Generator().manual_seed(0)
    labels, gallery_labels = (torch.arange(n) % min(_CLASSES, photos) for n in (queries, photos))
    centres = torch.randn(_CLASSES, _DIM, generator=generator)
    vectors = [
        torch.nn.functional.normalize(centres[of] + 2 * torch.randn(len(of), _DIM, generator=generator), dim=1)
        for of in (labels, gallery_labels)
    ]
    return vectors[0], vectors[1], labels, gallery_labels


def numpy_loop(queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray, gallery_labels: np.ndarray) -> float:
    """Mean average precision by a sort for each query."""
    found = []
    for query, label in zip(queries, labels, strict=True):
        relevant = gallery_labels[np.argsort(-(gallery @ query))] == label
        places = np.nonzero(relevant)[0] + 1
        found.append(np.mean(np.arange(1, len(places) + 1) / places))
    return float(np.mean(found))


def torchmetrics_map(
    queries: torch.Tensor, gallery: torch.Tensor, labels: torch.Tensor, gallery_labels: torch.Tensor
) -> float:
    """Mean average precision by torchmetrics."""
    metric = RetrievalMAP()
    metric.update(*_flat(queries, gallery, labels, gallery_labels))
    return float(metric.compute())


def torchmetrics_all(
    queries: torch.Tensor, gallery: torch.Tensor, labels: torch.Tensor, gallery_labels: torch.Tensor
) -> dict[str, float]:
    """The measures of crossx that torchmetrics has; there is no precision at recall over all queries among them."""
    metrics: dict[str, RetrievalMetric] = {"map_all": RetrievalMAP(), "acc_at_1": RetrievalHitRate(top_k=1)}
    metrics["map_at_200"] = RetrievalMAP(top_k=200)
    metrics.update({f"prec_at_{k}": RetrievalPrecision(top_k=k) for k in PREC_AT})
    flat = _flat(queries, gallery, labels, gallery_labels)
    for metric in metrics.values():
        metric.update(*flat)
    return {name: float(metric.compute()) for name, metric in metrics.items()}


def _flat(
    queries: torch.Tensor, gallery: torch.Tensor, labels: torch.Tensor, gallery_labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scores, relevance and number of the query of each pair."""
    # A relevant photo with a score of 0 or less counts as irrelevant there.
    scores = queries @ gallery.T + 2
    numbers = torch.arange(len(queries))[:, None].expand_as(scores)
    return scores.flatten(), (labels[:, None] == gallery_labels).flatten(), numbers.flatten()


def python_loop(
    queries: torch.Tensor, gallery: torch.Tensor, labels: torch.Tensor, gallery_labels: torch.Tensor
) -> float:
    """Mean average precision by a loop over photos in Python, as published evaluation code has it."""
    found, of_photos = [], gallery_labels.tolist()
    for query, label in zip(queries, labels.tolist(), strict=True):
        order = sorted(zip((gallery @ query).tolist(), of_photos, strict=True), key=lambda pair: -pair[0])
        hits, total = 0, 0.0
        for place, (_, of_photo) in enumerate(order, start=1):
            if of_photo == label:
                hits += 1
                total += hits / place
        found.append(total / hits)
    return float(np.mean(found))
