"""Measures of fine-grained retrieval over a whole validation or test run, in any number of processes."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from crossx.core.errors import InputError
from crossx.evaluation.functional import retrieval_scores
from crossx.evaluation.instances import INSTANCE_ACC_AT, InstanceScores, instance_scores
from crossx.evaluation.metric import WITHOUT_RELEVANT, RetrievalMetric
from crossx.evaluation.ranking import CHUNK_SIZE, cosine_scores, within
from crossx.types import MODALITIES, Modality


class InstanceMetric(RetrievalMetric):
    """Retrieval of the very photo that a sketch was drawn from.

    `compute` returns the measures of `crossx.evaluation.instances`, and `map_all`, which equals `mrr` because one photo
    is relevant. Where the own photos of some sketches were not measured, the means leave these sketches out, and
    `queries_without_relevant` is their number.

    As in `RetrievalMetric`, the number of processes and the order of arrival do not matter, and images repeated by a
    distributed sampler count once.

    Args:
        acc_at: Numbers k of first places for the accuracies.
        chunk_size: Queries ranked at a time.

    Attributes:
        by_query: As in `RetrievalMetric`, with the own photo as the only relevant one.
        by_sketch: Ranks of each query at the last `compute`, for paired comparisons; kept by `reset`. Queries whose
            photo was not measured are not among them.

    Raises:
        InputError: As from `RetrievalMetric`, and from `compute` when two photos have one instance, or a sketch has
            another class or gallery than its photo.
    """

    instances: list[Tensor]
    galleries: list[Tensor]

    def __init__(self, acc_at: Sequence[int] = INSTANCE_ACC_AT, chunk_size: int = CHUNK_SIZE) -> None:
        super().__init__(prec_at=(), acc_at=acc_at, chunk_size=chunk_size)
        self.by_sketch: InstanceScores | None = None
        for name in ("instances", "galleries"):
            self.add_state(name, default=[], dist_reduce_fx="cat")
        self.reset()

    def reset(self) -> None:
        """Remove all images."""
        super().reset()
        if hasattr(self, "instances"):  # not yet in the base class's constructor
            for state in (self.instances, self.galleries):
                state.append(torch.empty(0, dtype=torch.long, device=self.device))

    def update(
        self,
        embeddings: Tensor,
        labels: Tensor,
        indices: Tensor,
        modality: Modality,
        instances: Tensor | None = None,
        galleries: Tensor | None = None,
    ) -> None:
        """Add a batch of images.

        Args:
            embeddings: (B, D).
            labels: Class of each image, (B,) int64.
            indices: Place of each image in its modality's list, (B,) int64.
            modality: `photo` for the gallery, `sketch` for queries.
            instances: Number that a photo and its sketches share, (B,) int64.
            galleries: Gallery of each image, (B,) int64; None for one gallery.
        """
        if instances is None or instances.shape != indices.shape:
            got = None if instances is None else tuple(instances.shape)
            raise InputError(f"instances: must have the shape {tuple(indices.shape)}, got {got}")
        super().update(embeddings, labels, indices, modality)
        self.instances.append(instances)
        self.galleries.append(torch.zeros_like(indices) if galleries is None else galleries)

    def compute(self) -> dict[str, Tensor]:
        """Measures of the sketches of all processes, scalar float32, by the name of the metric."""
        photos, sketches = self.images("photo"), self.images("sketch")
        self.measured = {"photo": photos.indices.cpu(), "sketch": sketches.indices.cpu()}
        (photo_instances, galleries), (instances, query_galleries) = map(self._belonging, MODALITIES)
        scores = within(cosine_scores(sketches.embeddings, photos.embeddings), query_galleries, galleries)
        measured = retrieval_scores(scores, instances, photo_instances, (), self.acc_at, self.chunk_size)
        self.by_query = replace(measured, label=sketches.labels.cpu())
        own = _places(photo_instances, instances)
        found = (own >= 0).nonzero().flatten()
        if len(found) == 0:
            raise InputError("retrieval: must measure the photo of at least one sketch, got photos of no sketch")
        self.by_sketch = instance_scores(
            lambda rows: scores(found[rows.to(found.device)]),
            own[found],
            sketches.labels[found],
            photos.labels,
            query_galleries[found],
            galleries,
            self.chunk_size,
        )
        values = self.by_sketch.summary(self.acc_at)
        values["map_all"] = values["mrr"]
        if measured.without_relevant:
            values[WITHOUT_RELEVANT] = float(measured.without_relevant)
        return {name: torch.tensor(v, dtype=torch.float32, device=self.device) for name, v in values.items()}

    def _belonging(self, modality: Modality) -> tuple[Tensor, Tensor]:
        """Instance and gallery of the images of one modality, in the order of `images`."""
        rows = self._first_rows(modality)
        return dim_zero_cat(self.instances)[rows], dim_zero_cat(self.galleries)[rows]


def _places(photos: Tensor, sketches: Tensor) -> Tensor:
    """Gallery position of each sketch's photo, (Q,) int64; -1 where it is not there."""
    ordered, order = photos.sort()
    if (ordered[1:] == ordered[:-1]).any():
        twice = int(ordered[1:][ordered[1:] == ordered[:-1]][0])
        raise InputError(f"instances: photos must have a number each, got {twice} for two photos")
    place = torch.searchsorted(ordered, sketches).clamp(max=max(len(photos) - 1, 0))
    return torch.where(ordered[place] == sketches, order[place], -1)
