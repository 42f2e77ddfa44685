"""mAP@all alone, for choosing among many score functions on one gallery."""

import torch
from torch import Tensor

from crossx.evaluation.functional import exact_sum
from crossx.evaluation.ranking import CHUNK_SIZE, ScoreFunction, right_places


def mean_average_precision(
    scores: ScoreFunction, query_labels: Tensor, gallery_labels: Tensor, chunk_size: int = CHUNK_SIZE
) -> float:
    """Compute `map_all` alone: the value of `retrieval_scores`, bit for bit, in a quarter of its time.

    Args:
        scores: Scores of a chunk of queries.
        query_labels: (Q,) int64.
        gallery_labels: (G,) int64.
        chunk_size: Queries at a time.

    Returns:
        Mean over the queries that have a relevant photo, in [0, 1]; NaN when there is none.

    Raises:
        InputError: When a side is empty, the chunk size is below 1, or scores are NaN or have a wrong shape.
    """
    ap_all = []
    for relevant, places in right_places(scores, query_labels, gallery_labels, chunk_size):
        found = torch.arange(1, places.shape[1] + 1, device=places.device)
        precision = found.double() / places
        ap_all.append((exact_sum(precision, found <= relevant[:, None]) / relevant).cpu())
    return float(torch.cat(ap_all).nanmean())
