"""Training of several child modules in turn, within one fit and one checkpoint."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig

from crossx.training.lightning_state import is_fast_dev_run, make_length_known, progress
from crossx.training.limits import check_trainer
from crossx.training.module import CrossxModule
from crossx.training.players_ddp import PlayersDDP
from crossx.training.rotation import Rotation
from crossx.types import Progress, StepOutput


class AlternatingModule(CrossxModule):
    """A root module whose players (child modules) train in turn.

    One batch is one phase, one backward and one optimiser step of one player, so `global_step` equals batches and
    `max_steps` is the number of batches. A subclass names its players, gives their rotation, and runs the step of one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self._kept_warmup: int | None = None
        self._done_of_warmup = 0

    @property
    @abstractmethod
    def players(self) -> Mapping[str, CrossxModule]:
        """The child modules that train, by name, in the order of the rotation."""

    @abstractmethod
    def rotation(self, total: int | None) -> Rotation:
        """Return whose turn each batch is; players count in the order of `players`.

        Args:
            total: Batches of the whole run; None where they are not known.
        """

    @abstractmethod
    def play(self, player: str, batch: Any, progress: Progress) -> StepOutput:  # noqa: ANN401 - each player has its own batch type
        """Run one training step of a player: a forward without backward.

        Args:
            player: Name of the player whose turn it is.
            batch: The batch, as the data module gives it for this player.
            progress: Where the run stands before this batch.
        """

    def present_rotation(self, total: int | None) -> Rotation:
        """Return the rotation of this run; in a try-out of a few batches every player has one turn after another."""
        if is_fast_dev_run(self.trainer):
            return Rotation((1,) * len(self.players))
        rotation = self.rotation(total)
        # A resumed run may have another length, of which a warm-up may be a share; what is done stays done.
        warmup = max(rotation.warmup, self._done_of_warmup) if self._kept_warmup is None else self._kept_warmup
        return replace(rotation, warmup=warmup)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the warm-up in batches."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["crossx"]["warmup"] = self.present_rotation(progress(self.trainer).total).warmup

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the warm-up of the run that goes on."""
        super().on_load_checkpoint(checkpoint)
        kept, done = checkpoint.get("crossx", {}).get("warmup"), int(checkpoint["global_step"])
        if kept is not None and done < kept:  # still within it
            self._done_of_warmup = done
        else:
            self._kept_warmup = kept

    def player(self, progress: Progress) -> str:
        """Name of the player who trains on the coming batch."""
        return list(self.players)[self.present_rotation(progress.total).player(progress.done)]

    def configure_callbacks(self) -> list[Callback]:
        """Check the trainer before Lightning does, which would refuse without naming what to use instead.

        Raises:
            InputError: When a setting of the trainer cannot work with several optimisers.
        """
        check_trainer(self.trainer, list(self.players))
        return super().configure_callbacks()

    def configure_optimizers(self) -> tuple[OptimizerLRSchedulerConfig, ...]:
        """Optimisers and schedules of the players, each over the steps that the player has in the run."""
        make_length_known(self.trainer)
        total = progress(self.trainer).total
        return tuple(
            child.optimizer_and_schedule(
                None if total is None else self.present_rotation(total).batches_of(i, total),
                f"model.{name}.",
                in_turn=True,
            )
            for i, (name, child) in enumerate(self.players.items())
        )

    def training_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ANN401 - each player has its own batch type
        """Take one optimiser step of the player whose turn it is."""
        now = progress(self.trainer)
        now = replace(now, warmup=self.present_rotation(now.total).warmup)
        name = self.player(now)
        child, place = self.players[name], list(self.players).index(name)
        optimizer, scheduler = self._optimizers()[place], self._schedulers()[place]
        with optimizer.toggle_model():  # encloses the forward: the other players' parameters get no gradient
            output = self.play(name, batch, now)
            optimizer.zero_grad()
            self.manual_backward(output.loss)
        if isinstance(self.trainer.strategy, PlayersDDP):
            self.trainer.strategy.average_gradients(child.parameters_to_train())
        if child.clip_norm is not None:
            self.clip_gradients(optimizer.optimizer, child.clip_norm, "norm")
        optimizer.step()
        scheduler.step()  # Lightning steps no schedule in manual optimisation
        self.log_output(output)

    def _optimizers(self) -> list[LightningOptimizer]:
        optimizers: Any = self.optimizers()
        return list(optimizers) if isinstance(optimizers, list) else [optimizers]

    def _schedulers(self) -> list[torch.optim.lr_scheduler.LRScheduler]:
        schedulers: Any = self.lr_schedulers()
        return list(schedulers) if isinstance(schedulers, list) else [schedulers]
