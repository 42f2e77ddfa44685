"""What `results.json` holds of fine-grained retrieval: the rank of each query, and which photos were labelled."""

from typing import Any

import lightning.pytorch as pl

from crossx.data.instances import labels_hash
from crossx.evaluation.instance_metric import InstanceMetric
from crossx.finegrained.data import FineGrainedDataModule
from crossx.reports.lookup import data_module
from crossx.training.retrieval import RetrievalModule


def instance_results(trainer: pl.Trainer, module: pl.LightningModule) -> dict[str, Any] | None:
    """Ranks of the queries of the last measurement; None where retrieval is not fine-grained or was not measured.

    Two runs are compared query by query where `split_hash` is the same.

    Args:
        trainer: The run's trainer.
        module: The root module.

    Returns:
        `ranks` and `within_class_ranks` of the queries in the order of the data set, (Q,) each, `photos`, the gallery
        position of each query's own photo, and of the training data `fraction`, `labelled_photos`, `labelled_pairs`
        and `labels_hash`.
    """
    metric = module.retrieval if isinstance(module, RetrievalModule) else None
    data = data_module(trainer)
    if not isinstance(metric, InstanceMetric) or not isinstance(data, FineGrainedDataModule):
        return None
    if metric.by_sketch is None:
        return None
    pairs = data.dataset.labelled(data.fraction)
    return {
        "ranks": metric.by_sketch.ranks.tolist(),
        "within_class_ranks": metric.by_sketch.class_ranks.tolist(),
        "photos": metric.by_sketch.own.tolist(),
        "fraction": data.fraction,
        "labelled_photos": len({pair.photo for pair in pairs}),
        "labelled_pairs": len(pairs),
        "labels_hash": labels_hash(data.dataset, data.fraction),
    }
