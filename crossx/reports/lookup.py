"""Data and settings that reports look up in a trainer."""

import lightning.pytorch as pl

from crossx.data.base import RetrievalData
from crossx.pairs.datamodule import SyntheticPairsDataModule

_BATCH_SIZE = 64
"""Latents drawn in a run whose data module states no batch size, such as one with plain loaders from Python."""


def data_module(trainer: pl.Trainer) -> SyntheticPairsDataModule | None:
    """The data module of a retrieval run; None in any other run."""
    data = trainer.datamodule  # type: ignore[attr-defined]  # set in Trainer's constructor
    return data if isinstance(data, SyntheticPairsDataModule) else None


def real_images(trainer: pl.Trainer) -> RetrievalData | None:
    """The data set that retrieval is measured on; None in a run that is not measured by retrieval."""
    data = data_module(trainer)
    return None if data is None else data.dataset


def batch_size(trainer: pl.Trainer) -> int:
    """Latents of one training batch: generators normalise by the batch, so pictures take as many."""
    data = data_module(trainer)
    return _BATCH_SIZE if data is None else data.batch_size
