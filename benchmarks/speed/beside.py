"""Callbacks that time a real fit, beside the loops that it is compared with."""

import copy
import json
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from benchmarks.speed.loops import BareLoop, PublishedLoop
from benchmarks.speed.timing import clock, seconds
from crossx.classification.module import ClassifierModule
from crossx.core.atomic import write_text
from crossx.cotraining.module import CoTrainingModule
from crossx.types import ImageBatch, LatentBatch

CROSSX, BARE, PUBLISHED, PUBLISHED_SAME = "crossx", "bare loop", "published, float32", "published, same precision"
GENERATORS, ENCODERS, CLASSIFIER = "generator step", "encoder step", "classifier step"


class _Clock(Callback):
    """Seconds of each batch, from the end of what came before it to the end of its step; by what the batch trains."""

    def __init__(self) -> None:
        self.seconds: dict[str, dict[str, list[float]]] = {}
        self._mark = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock: what an epoch begins with is no part of its first step."""
        self._mark = clock()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Read the clock, and do the same in the other ways."""
        step = self.step_of(batch)
        taken = {CROSSX: clock() - self._mark, **self.others(step, pl_module, batch)}
        for way, value in taken.items():
            self.seconds.setdefault(step, {}).setdefault(way, []).append(value)
        self._mark = clock()

    def step_of(self, batch: object) -> str:
        """Name of the step that a batch takes."""
        return GENERATORS if isinstance(batch, LatentBatch) else ENCODERS

    def others(self, step: str, module: pl.LightningModule, batch: object) -> dict[str, float]:
        """Seconds of the same step in other ways."""
        return {}


class BesideJointRun(_Clock):
    """Times of a joint run, beside a bare loop and the published procedure.

    Args:
        batch: B of the run.
    """

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch
        self.loops: dict[str, BareLoop] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Copy the networks for the other ways."""
        if not isinstance(pl_module, CoTrainingModule):
            raise TypeError(f"module: must be a CoTrainingModule, got a {type(pl_module).__name__}")
        bfloat16 = str(trainer.precision) == "bf16-mixed"
        self.loops = {
            BARE: BareLoop(pl_module, self.batch, bfloat16),
            PUBLISHED: PublishedLoop(pl_module, self.batch, False),
            PUBLISHED_SAME: PublishedLoop(pl_module, self.batch, bfloat16),
        }

    def others(self, step: str, module: pl.LightningModule, batch: object) -> dict[str, float]:
        """Take the step in the other ways."""
        names = {GENERATORS: "generator_step", ENCODERS: "encoder_step"}
        return {way: seconds(getattr(loop, names[step])) for way, loop in self.loops.items()}


class BesideClassifier(_Clock):
    """Times of a classifier's training, beside a bare loop on the same images, which lie in memory there."""

    _network: torch.nn.Module
    _optimizer: torch.optim.Optimizer

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Copy the network for the bare loop."""
        if not isinstance(pl_module, ClassifierModule):
            raise TypeError(f"module: must be a ClassifierModule, got a {type(pl_module).__name__}")
        self._network = copy.deepcopy(pl_module.network).train()
        self._optimizer = torch.optim.AdamW(self._network.parameters(), lr=0.004, weight_decay=0.02)

    def step_of(self, batch: object) -> str:
        """There is one kind of step."""
        return CLASSIFIER

    def others(self, step: str, module: pl.LightningModule, batch: object) -> dict[str, float]:
        """Take the step in a bare loop."""
        if not (isinstance(module, ClassifierModule) and isinstance(batch, ImageBatch)):
            raise TypeError(f"batch: must hold labelled images, got a {type(batch).__name__}")
        bfloat16 = str(module.trainer.precision) == "bf16-mixed"

        def train() -> None:
            views = batch.image if module.augmentation is None else module.augmentation(batch.image)
            with torch.autocast(views.device.type, torch.bfloat16, enabled=bfloat16):
                logits = self._network(module.preprocessing(views))
            loss = torch.nn.functional.cross_entropy(logits.float(), batch.label)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            self._optimizer.step()

        return {BARE: seconds(train)}


class WritesTimes(_Clock):
    """Times of a run in several processes, of which the first writes them.

    Args:
        output: JSON file: step to seconds of each batch.
    """

    def __init__(self, output: str) -> None:
        super().__init__()
        self.output = output

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the times."""
        if trainer.is_global_zero:
            write_text(Path(self.output), json.dumps({step: ways[CROSSX] for step, ways in self.seconds.items()}))
