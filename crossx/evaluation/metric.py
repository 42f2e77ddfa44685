"""Retrieval measures of a whole validation or test run, in any number of processes."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from crossx.core.checks import must_be_one_of
from crossx.core.errors import InputError
from crossx.evaluation.functional import ACC_AT, PREC_AT, RetrievalScores, embedding_scores
from crossx.evaluation.ranking import CHUNK_SIZE
from crossx.types import MODALITIES, Modality

WITHOUT_RELEVANT = "queries_without_relevant"
"""Name of the number of queries that the means leave out."""


class EmbeddedImages(NamedTuple):
    """Embedded images of one modality, in the order of their indices.

    Attributes:
        embeddings: (N, D) float32.
        labels: (N,) int64.
        indices: Place of each image in its modality's list, (N,) int64, increasing.
    """

    embeddings: Tensor
    labels: Tensor
    indices: Tensor


class RetrievalMetric(Metric):
    """Retrieval of photos by sketches.

    `compute` returns `map_all`, `map_at_200`, `prec_at_<k>`, `acc_at_<k>` and `map_all_macro`. Where nothing in the
    gallery is relevant to some queries, which the means leave out, it also returns `queries_without_relevant`, their
    number.

    The definitions are those of `crossx.evaluation.functional`. Every process returns the measures of all images of all
    processes: images are ordered by their index, so that the order of arrival and the number of processes do not matter
    and images repeated by a distributed sampler count once. A process may have no image at all.

    Use `update`; calling the metric itself would evaluate each batch on its own.

    Args:
        prec_at: Numbers k of first places for the precisions.
        acc_at: Numbers k of first places for the accuracies.
        chunk_size: Queries ranked at a time.

    Attributes:
        by_query: Measures of each query at the last `compute`, for paired comparisons; kept by `reset`.
        measured: Modality to the indices of the images of the last `compute`, (N,) int64, increasing; kept by `reset`.

    Raises:
        InputError: From `update` when shapes disagree or the modality is unknown; from `compute` when there is no
            photo or no sketch, embeddings are not finite, or one index has two labels.
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = True

    embeddings: list[Tensor]
    labels: list[Tensor]
    indices: list[Tensor]
    modalities: list[Tensor]
    width: Tensor

    def __init__(
        self, prec_at: Sequence[int] = PREC_AT, acc_at: Sequence[int] = ACC_AT, chunk_size: int = CHUNK_SIZE
    ) -> None:
        super().__init__()
        self.prec_at = tuple(prec_at)
        self.acc_at = tuple(acc_at)
        self.chunk_size = chunk_size
        self.by_query: RetrievalScores | None = None
        self.measured: dict[Modality, Tensor] = {}
        for name in ("embeddings", "labels", "indices", "modalities"):
            self.add_state(name, default=[], dist_reduce_fx="cat")
        self.add_state("width", default=torch.tensor(0), dist_reduce_fx="max")
        self.reset()

    def reset(self) -> None:
        """Remove all images."""
        super().reset()
        # A process without images takes part in the gather with these. torchmetrics would send a float tensor (0,) for
        # every empty list, which fits neither integers nor matrices; embeddings are kept flat for the same reason.
        self.embeddings.append(torch.empty(0, device=self.device))
        for state in (self.labels, self.indices, self.modalities):
            state.append(torch.empty(0, dtype=torch.long, device=self.device))

    def update(self, embeddings: Tensor, labels: Tensor, indices: Tensor, modality: Modality) -> None:
        """Add a batch of images.

        Args:
            embeddings: (B, D).
            labels: (B,) int64.
            indices: Place of each image in its modality's list, (B,) int64.
            modality: `photo` for the gallery, `sketch` for queries.
        """
        must_be_one_of("modality", modality, MODALITIES)
        if embeddings.ndim != 2 or labels.shape != (len(embeddings),) or indices.shape != (len(embeddings),):
            raise InputError(
                f"embeddings, labels, indices: must have the shapes (B, D), (B,), (B,), got {tuple(embeddings.shape)}, "
                f"{tuple(labels.shape)}, {tuple(indices.shape)}"
            )
        width = int(self.width)
        if width not in (0, embeddings.shape[1]):
            raise InputError(f"embeddings: must have width {width} as before, got width {embeddings.shape[1]}")
        self.width = torch.full_like(self.width, embeddings.shape[1])
        self.embeddings.append(embeddings.detach().float().flatten())
        self.labels.append(labels)
        self.indices.append(indices)
        self.modalities.append(torch.full_like(indices, MODALITIES.index(modality)))

    def images(self, modality: Modality) -> EmbeddedImages:
        """Images of one modality, each once; the images of all processes inside `with metric.sync_context():`.

        Raises:
            InputError: When one index has two labels.
        """
        rows, all_indices = self._first_rows(modality), dim_zero_cat(self.indices)
        embeddings = dim_zero_cat(self.embeddings).view(len(all_indices), int(self.width))
        return EmbeddedImages(embeddings[rows], dim_zero_cat(self.labels)[rows], all_indices[rows])

    def _first_rows(self, modality: Modality) -> Tensor:
        """Rows of the states with the images of one modality, each once, in the order of their indices, (N,)."""
        mine = (dim_zero_cat(self.modalities) == MODALITIES.index(modality)).nonzero().flatten()
        indices, order = dim_zero_cat(self.indices)[mine].sort(stable=True)
        labels = dim_zero_cat(self.labels)[mine][order]
        again = indices[1:] == indices[:-1]
        contradicting = again & (labels[1:] != labels[:-1])
        if contradicting.any():
            index = int(indices[1:][contradicting][0])
            raise InputError(f"indices: must name one image of a modality each, got {modality} {index} with two labels")
        return mine[order][torch.cat([torch.ones_like(indices[:1], dtype=torch.bool), ~again])]

    def compute(self) -> dict[str, Tensor]:
        """Means over the sketches of all processes, scalar float32, by the name of the metric."""
        photos, sketches = self.images("photo"), self.images("sketch")
        self.measured = {"photo": photos.indices.cpu(), "sketch": sketches.indices.cpu()}
        self.by_query = scores = embedding_scores(
            sketches.embeddings,
            photos.embeddings,
            sketches.labels,
            photos.labels,
            self.prec_at,
            self.acc_at,
            self.chunk_size,
        )
        values = scores.summary()
        if scores.without_relevant:
            values[WITHOUT_RELEVANT] = float(scores.without_relevant)
        return {name: torch.tensor(v, dtype=torch.float32, device=self.device) for name, v in values.items()}
