"""Modules that are measured by retrieval."""

from abc import ABC, abstractmethod

import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn
from torch.utils.data import DataLoader

from crossx.core.errors import InputError
from crossx.data.base import LabelledImages
from crossx.data.unlabelled import UnlabelledImages
from crossx.evaluation.metric import RetrievalMetric
from crossx.training.lightning_state import measured_loaders
from crossx.training.module import CrossxModule
from crossx.training.rates import RateFactory
from crossx.types import ImageBatch, Images, Modality, Split


class RetrievalModule(CrossxModule, ABC):
    """A root module that is validated and tested by retrieval: sketches are queries, photos are the gallery.

    Args:
        optimizer: See `CrossxModule`.
        scheduler: See `CrossxModule`.
        clip_norm: See `CrossxModule`.

    It has neither teachers nor a source of pairs; a subclass adds what it learns from.

    Attributes:
        retrieval: The metric that validation and test feed.
        adapted_to: Number of unlabelled queries whose statistics the encoders of the last measurement had; 0 for
            encoders as they were trained.
    """

    def __init__(
        self,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: RateFactory | None = None,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, clip_norm)
        self.retrieval = RetrievalMetric()
        self.adapted_to = 0

    @property
    def data_free(self) -> bool:
        """Whether no real image may steer the training; validation then observes only."""
        return False

    @property
    def encoders(self) -> dict[Modality, nn.Module]:
        """The encoders that a run exports, by modality; empty exports none."""
        return {}

    def on_fit_start(self) -> None:
        """Refuse callbacks that let real labels steer a data-free run.

        Raises:
            InputError: Naming the callback and what it monitors.
        """
        super().on_fit_start()
        self.adapt(None)  # an interrupted measurement may have left statistics of real images
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]  # set in Trainer's constructor
            monitor = callback.monitor if isinstance(callback, ModelCheckpoint | EarlyStopping) else None
            if self.data_free and monitor is not None and monitor.startswith("val/"):
                raise InputError(
                    f"trainer.callbacks: {type(callback).__name__} monitors {monitor!r}, which is measured on real "
                    "images: validation observes a data-free run and does not steer it; the last weights count"
                )

    @abstractmethod
    def encode(self, images: Tensor, modality: Modality) -> Tensor:
        """Images in [0, 1], (B, 3, H, W), to unit vectors, (B, D)."""

    def adapt(self, queries: Images | None) -> int:
        """Show the unlabelled queries of a measurement to encoders that adapt to them; by default none does.

        Args:
            queries: See `Encoder.adapt`.

        Returns:
            Number of queries that statistics were taken of.
        """
        return 0

    def _adapt(self, split: Split) -> None:
        """Show all queries of the split, in each process, so that all have equal statistics."""
        loaders = [loader for loader in measured_loaders(self.trainer, split) if isinstance(loader, DataLoader)]
        lists = [loader.dataset for loader in loaders if isinstance(loader.dataset, LabelledImages)]
        self.adapted_to = self.adapt(UnlabelledImages(images for images in lists if images.modality == "sketch"))

    def on_validation_epoch_start(self) -> None:
        """Show the queries to the encoders."""
        self._adapt("validation")

    def on_test_epoch_start(self) -> None:
        """Show the queries to the encoders."""
        self._adapt("test")

    def on_predict_epoch_start(self) -> None:
        """Show the queries to the encoders."""
        self._adapt("test")

    def validation_step(self, batch: ImageBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Collect float32 embeddings of real photos and sketches."""
        self.retrieval.update(self._encode_in_float32(batch), batch.label, batch.index, batch.modality)

    def test_step(self, batch: ImageBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Collect embeddings as in validation; a subclass that overrides `validation_step` is tested in its way."""
        self.validation_step(batch, batch_idx, dataloader_idx)

    def predict_step(self, batch: ImageBatch, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Float32 embeddings of a batch, (B, D)."""
        return self._encode_in_float32(batch)

    def _encode_in_float32(self, batch: ImageBatch) -> Tensor:
        # Whatever the training precision is, so that results of runs with different precisions can be compared.
        with torch.autocast(batch.image.device.type, enabled=False):
            return self.encode(batch.image, batch.modality)

    def on_validation_epoch_end(self) -> None:
        """Log `val/<metric>`."""
        self.adapt(None)  # a fit goes on with the encoders as they were trained
        self._log_retrieval("val")

    def on_test_epoch_end(self) -> None:
        """Log `test/<metric>`."""
        self.adapt(None)
        self._log_retrieval("test")

    def on_predict_epoch_end(self) -> None:
        """Take the statistics of the queries from the encoders."""
        self.adapt(None)

    def _log_retrieval(self, stage: str) -> None:
        for name, value in self.retrieval.compute().items():
            # The metric has already gathered all processes: the same value everywhere.
            self.log(f"{stage}/{name}", value, prog_bar=name == "map_all", rank_zero_only=True)
        self.retrieval.reset()
