"""Seconds a step, by phase."""

import time
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from crossx.types import LatentBatch


class PhaseTimer(Callback):
    """Seconds from the start of a batch's step to its end, by phase.

    Making the pairs happens before the step, in the transfer hook; so the time between two steps is kept apart.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {"generator step": [], "encoder step": [], "before an encoder step": []}
        self._mark = time.perf_counter()

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        """Start the clock of a step, and read the one of what came before it."""
        now = self._now(pl_module)
        if not isinstance(batch, LatentBatch):
            self.seconds["before an encoder step"].append(now - self._mark)
        self._mark = now

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Read the clock of a step."""
        now = self._now(pl_module)
        phase = "generator step" if isinstance(batch, LatentBatch) else "encoder step"
        self.seconds[phase].append(now - self._mark)
        self._mark = now

    @staticmethod
    def _now(module: pl.LightningModule) -> float:
        if module.device.type == "cuda":
            torch.cuda.synchronize(module.device)
        return time.perf_counter()
