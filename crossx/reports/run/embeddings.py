"""The result of `crossx predict`: the embeddings of all test images."""

import json
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from crossx.core.tensor_files import write_safetensors
from crossx.evaluation.metric import RetrievalMetric
from crossx.pixels.pen import Pen
from crossx.reports.lookup import data_module
from crossx.reports.run.remarks import adapted
from crossx.training.lightning_state import run_folder
from crossx.training.retrieval import RetrievalModule
from crossx.types import MODALITIES, ImageBatch


class EmbeddingWriter(Callback):
    """Writes `embeddings.safetensors` into the run folder when `predict` ends.

    It holds `photo` and `sketch`, (N, D) unit vectors in the data set's order, and `photo_label` and `sketch_label`,
    (N,) indices into the class names. The header has, as JSON, `classes`, the images' names (`photo`, `sketch`), the
    `pen`, and `adapted_to`, the number of unlabelled queries whose statistics the encoders had.
    """

    def __init__(self) -> None:
        self._collected = RetrievalMetric()

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: ImageBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the embeddings of a batch."""
        if isinstance(outputs, Tensor):
            self._collected.to(outputs.device).update(outputs, batch.label, batch.index, batch.modality)

    def on_predict_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the file."""
        folder, data = run_folder(trainer), data_module(trainer)
        with self._collected.sync_context():  # every process takes part, the first one writes
            images = {modality: self._collected.images(modality) for modality in MODALITIES}
        self._collected.reset()
        if folder is None or not trainer.is_global_zero or data is None:
            return
        lists = dict(zip(MODALITIES, data.images("test"), strict=True))
        tensors: dict[str, Tensor] = {}
        metadata = {"classes": json.dumps(lists["photo"].classes), "pen": json.dumps(Pen.plain(data.pen))}
        adapted_to = pl_module.adapted_to if isinstance(pl_module, RetrievalModule) else 0
        metadata["adapted_to"] = json.dumps(adapted_to)
        for modality, found in images.items():
            tensors[modality], tensors[f"{modality}_label"] = found.embeddings, found.labels
            names = lists[modality].names
            metadata[modality] = json.dumps([names[i] for i in found.indices.tolist()])
        path = folder / "embeddings.safetensors"
        write_safetensors(path, tensors, metadata)
        cut = [f"{len(images[m].indices)} of {len(lists[m])} {m} images" for m in MODALITIES]
        whole = all(len(images[m].indices) == len(lists[m]) for m in MODALITIES)
        if adapted_to:
            print(adapted(adapted_to))  # noqa: T201 - belongs to the line below
        if not whole:
            print(f"partial: {' and '.join(cut)}")  # noqa: T201 - belongs to the line below
        print(f"embeddings: {path.resolve()}", flush=True)  # noqa: T201 - what the user looks for
