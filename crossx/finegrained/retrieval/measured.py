"""Modules that are measured by retrieval of the very photo that a sketch was drawn from."""

import torch
from lightning.pytorch.cli import OptimizerCallable

from crossx.core.errors import InputError
from crossx.evaluation.instance_metric import InstanceMetric
from crossx.finegrained.types import InstanceBatch
from crossx.training.rates import RateFactory
from crossx.training.retrieval import RetrievalModule
from crossx.types import ImageBatch


class InstanceRetrievalModule(RetrievalModule):
    """A root module that is validated and tested by fine-grained retrieval.

    Args:
        optimizer: See `CrossxModule`.
        scheduler: See `CrossxModule`.
        clip_norm: See `CrossxModule`.
    """

    retrieval: InstanceMetric

    def __init__(
        self,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: RateFactory | None = None,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, clip_norm)
        self.retrieval = InstanceMetric()

    def validation_step(self, batch: ImageBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Collect float32 embeddings of photos and sketches, with the photo that each sketch was drawn from."""
        if not isinstance(batch, InstanceBatch):
            raise InputError("data: must be a FineGrainedDataModule, got images without the photos they belong to")
        of = (batch.label, batch.index, batch.modality, batch.instance, batch.gallery)
        self.retrieval.update(self._encode_in_float32(batch), *of)
