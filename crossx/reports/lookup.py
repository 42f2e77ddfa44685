"""Data and settings that reports look up in a trainer."""

from typing import Protocol, cast, runtime_checkable

import lightning.pytorch as pl

from crossx.data.base import RetrievalData
from crossx.encoding.losses.base import EncodingLoss
from crossx.encoding.module import EncoderModule
from crossx.finegrained.data import FineGrainedDataModule
from crossx.networks.batch_norm import trainable_modules
from crossx.pairs.datamodule import SyntheticPairsDataModule
from crossx.reconstruction.losses.base import ReconstructionLoss
from crossx.training.guided import GuidedRetrievalModule
from crossx.types import LatentBatch, PairBatch, Sampler

_BATCH_SIZE = 64
"""Latents drawn in a run whose data module states no batch size, such as one with plain loaders from Python."""


RetrievalDataModule = SyntheticPairsDataModule | FineGrainedDataModule
"""A data module of runs that are measured by retrieval."""


def data_module(trainer: pl.Trainer) -> RetrievalDataModule | None:
    """The data module of a retrieval run; None in any other run."""
    data = trainer.datamodule  # type: ignore[attr-defined]  # set in Trainer's constructor
    return data if isinstance(data, RetrievalDataModule) else None


def real_images(trainer: pl.Trainer) -> RetrievalData | None:
    """The data set that retrieval is measured on; None in a run that is not measured by retrieval."""
    data = data_module(trainer)
    return None if data is None else data.dataset


def batch_size(trainer: pl.Trainer) -> int:
    """Latents of one training batch: generators normalise by the batch, so pictures take as many."""
    data = data_module(trainer)
    return _BATCH_SIZE if data is None else data.batch_size


@runtime_checkable
class _Samples(Protocol):
    def sample(self, latents: LatentBatch) -> PairBatch: ...


def sampler(module: pl.LightningModule) -> Sampler | None:
    """The module, where it has generators; else None."""
    # Only the method is looked for: before Python 3.12 a check of the whole protocol evaluates the property
    # `latent_dim`, which raises in encoders without a pair source.
    return cast(Sampler, module) if isinstance(module, _Samples) else None


def wants_agreement(module: pl.LightningModule) -> bool:
    """Whether a loss of the module makes both images of a generated pair show one class, or relies on it."""
    parts = list(trainable_modules(module))
    paired_anew = any(part.pair_by_class for part in parts if isinstance(part, EncoderModule))
    kinds = ReconstructionLoss if paired_anew else ReconstructionLoss | EncodingLoss
    return any(part.wants_agreement for part in parts if isinstance(part, kinds))


def seeks_agreement(module: pl.LightningModule) -> bool:
    """Whether both images of a pair are meant to show one class: a loss wants it, or the pairs are real."""
    return wants_agreement(module) or (isinstance(module, GuidedRetrievalModule) and not module.data_free)
