"""Base of every LightningModule of crossx: optimisers from YAML, stateless randomness, checkpoints.

The rule that nested modules make necessary: under the Lightning CLI only the root module may call
`save_hyperparameters`, log, or count on a Lightning hook. Children keep plain attributes and return `StepOutput`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.core.saving import CHECKPOINT_PAST_HPARAMS_KEYS
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler

from crossx.core.checks import must_be_in
from crossx.core.distributed import rank, world_size
from crossx.core.errors import InputError
from crossx.core.paths import looked_up_in_former, starting_folders
from crossx.core.seeding import run_seed, seed_batch, settle_seed
from crossx.core.untrusted import as_paths, check_version, former_folders, read_checkpoint, refuse_imports
from crossx.core.version import __version__
from crossx.networks.batch_norm import (
    average_running_statistics,
    averaged_running_statistics,
    running_statistics,
    set_running_statistics,
)
from crossx.networks.frozen import Frozen
from crossx.teachers.pair import TeacherPair
from crossx.training.hashes import frozen_hashes
from crossx.training.launch import check_processes
from crossx.training.lightning_state import batches_done, is_fast_dev_run, make_length_known, run_steps
from crossx.training.limits import check_fit, check_precision
from crossx.training.rates import RateFactory, make_schedule
from crossx.training.resumption import overruled
from crossx.training.torch_errors import check_first_step, named_errors
from crossx.types import Split, StepOutput

INSTANTIATOR = "lightning.pytorch.cli.instantiate_module"
"""Function that builds a module from the arguments in its checkpoint."""


class CrossxModule(pl.LightningModule):
    """Base of all modules that train.

    Args:
        optimizer: Makes the optimiser from the parameters to train, such as `torch.optim.Adam` in YAML.
        scheduler: Makes the learning-rate schedule from the optimiser; stepped after every optimiser step. None keeps
            the rate constant.
        clip_norm: Largest norm of the gradient; None does not clip.

    Raises:
        InputError: When `clip_norm` is not positive.
    """

    def __init__(
        self,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: RateFactory | None = None,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__()
        if clip_norm is not None:
            must_be_in("clip_norm", clip_norm, "(0, inf)")
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.clip_norm = clip_norm
        self.run_config: dict[str, Any] = {}
        """The config that the command line resolved, kept in checkpoints; empty when built from Python."""
        self._own_statistics: dict[str, Tensor] = {}

    def parameters_to_train(self) -> Iterator[nn.Parameter]:
        """Return the parameters that the optimiser trains: all that are not frozen."""
        return (p for p in self.parameters() if p.requires_grad)

    def relative_rates(self) -> list[tuple[nn.Module, float]]:
        """Return the submodules with a learning rate of their own, each with its factor to the optimiser's rate."""
        return []

    def configure_optimizers(self) -> Any:  # noqa: ANN401 - Lightning allows several forms
        """Optimiser and schedule of a module that is the root."""
        make_length_known(self.trainer)
        return self.optimizer_and_schedule(run_steps(self.trainer), "model.")

    def optimizer_and_schedule(
        self, steps: int | None, place: str = "", in_turn: bool = False
    ) -> OptimizerLRSchedulerConfig:
        """Build the optimiser and its schedule, stepped per optimiser step.

        Args:
            steps: Optimiser steps of this module in the run; None where they are not known.
            place: Place of this module in a config, such as `model.encoding.`, for messages.
            in_turn: Whether it trains in turn with others, whose steps give an optimiser no closure.

        Raises:
            InputError: When nothing trains, the optimiser refuses its arguments, or the schedule does not fit.
        """
        factors = {p: factor for module, factor in self.relative_rates() for p in module.parameters()}
        groups: dict[float, list[nn.Parameter]] = {}
        for p in self.parameters_to_train():
            groups.setdefault(factors.get(p, 1.0), []).append(p)
        if not groups:
            raise InputError(
                "model: has no parameters to train, so there is nothing to fit; measure it with crossx validate or test"
            )
        with named_errors(f"{place}optimizer", self.make_optimizer):
            optimizer = self.make_optimizer([{"params": parameters} for parameters in groups.values()])
            like = next(iter(groups.values()))[0]
            check_first_step(f"{place}optimizer", self.make_optimizer, like, with_closure=not in_turn)
        for group, factor in zip(optimizer.param_groups, groups, strict=True):
            must_be_in(f"{place}optimizer.lr", float(group["lr"]), "[0, inf)")  # not every optimiser checks it
            group["lr"] *= factor
        if self.make_scheduler is None:
            scheduler: LRScheduler = ConstantLR(optimizer, factor=1.0)
        else:
            try_out = self._trainer is not None and is_fast_dev_run(self._trainer)
            scheduler = make_schedule(self.make_scheduler, optimizer, steps, try_out, f"{place}scheduler")
        if isinstance(scheduler, CosineAnnealingLR) and scheduler.eta_min and len(groups) > 1:
            raise InputError(
                f"{place}scheduler.eta_min: must be 0 where a part has its own share of the rate (network_rate), got "
                f"{scheduler.eta_min}, at which both rates would end"
            )
        rates = [group["lr"] for group in optimizer.param_groups]
        expected = [rates[0] / next(iter(groups)) * factor for factor in groups]
        if not np.allclose(rates, expected):
            raise InputError(
                f"{place}scheduler: must scale the rates of all parts alike where a part has its own share "
                f"(network_rate), got {type(scheduler).__name__}; use Cosine or OneCycle, or network_rate: 1"
            )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def fit_summary(self, logged: dict[str, float]) -> tuple[Split | None, dict[str, float]]:
        """Return the result of a fit without retrieval metrics: the split that it was measured on, and the metrics.

        Args:
            logged: The last logged values.
        """
        return None, logged

    def log_output(self, output: StepOutput) -> None:
        """Log what a step returned; the terms that matter stand beside the progress bar."""
        for name, value in output.logs.items():
            self.log(name, value, prog_bar=name in output.shown)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip by `clip_norm`, else as the trainer is set."""
        if self.clip_norm is not None:
            gradient_clip_val, gradient_clip_algorithm = self.clip_norm, "norm"
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:  # noqa: ANN401 - Lightning's signature
        """Seed torch from (seed, batches done, rank), so that a resumed run draws what a straight one draws."""
        if self._trainer is not None and self.trainer.training:
            seed_batch(batches_done(self.trainer), rank())
        return batch

    def configure_callbacks(self) -> list[Callback]:
        """Check the trainer, before processes meet and anything is built; no callback is added.

        Raises:
            InputError: When a launcher started other processes than the trainer knows of, or a setting cannot be
                honoured in a fit.
        """
        check_processes(self.trainer.world_size, os.environ)
        trains = self.trainer.state.fn == TrainerFn.FITTING
        check_precision(self.trainer.precision_plugin.precision, joint=False, trains=trains)
        if trains:
            check_fit(self.trainer, any(isinstance(module, Frozen) for module in self.modules()))
        return []

    def setup(self, stage: str) -> None:
        """Settle the run's seed, and warn of classes that the two teachers spell differently.

        Args:
            stage: What the trainer is about to do, such as `fit`.
        """
        settle_seed(self.trainer.strategy.broadcast)
        pairs = [module for module in self.modules() if isinstance(module, TeacherPair)]
        if pairs and (message := pairs[0].spelled_differently()):
            rank_zero_warn(message)

    def on_fit_end(self) -> None:
        """Make sure that the frozen networks are what they were.

        Raises:
            RuntimeError: When the tensors of one have changed, which would be a defect of crossx or of a subclass.
        """
        for frozen in self.modules():
            if isinstance(frozen, Frozen) and frozen.fingerprint() != frozen.hash:
                raise RuntimeError(f"the frozen network {frozen.title!r} has changed during the fit")

    def on_validation_start(self) -> None:
        """Make the running statistics of all processes the same before anything is measured."""
        if world_size() > 1 and self.trainer.state.fn == TrainerFn.FITTING:
            self._own_statistics = {name: own.clone() for name, own in running_statistics(self).items()}
        average_running_statistics(self)

    def on_validation_end(self) -> None:
        """Give this process back its own running statistics: a validation observes a fit, and does not steer it."""
        if self._own_statistics:
            set_running_statistics(self, self._own_statistics)
            self._own_statistics = {}

    def on_test_start(self) -> None:
        """Make the running statistics of all processes the same before anything is measured."""
        average_running_statistics(self)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the config beside the weights, as plain values, and name the teachers they belong to.

        The running statistics of the checkpoint are the averages over processes. Those of the module stay as they are,
        so that a run with more checkpoints is the same run.
        """
        checkpoint["state_dict"].update(averaged_running_statistics(self))
        checkpoint["crossx"] = {
            "version": __version__,
            "teachers": frozen_hashes(self),
            "config": {**self.run_config, "seed_everything": run_seed()} if self.run_config else {},
            "folders": starting_folders(),
            "seed": run_seed(),
        }

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: str | Path, **kwargs: Any) -> Self:  # type: ignore[override]  # noqa: ANN401
        """Rebuild a module from its checkpoint alone, as Lightning does it, but without importing what that names.

        Args:
            checkpoint_path: A checkpoint that the command line has written; one from Python needs the arguments, too.
            kwargs: Lightning's options, and arguments of the module that replace the checkpoint's.

        Raises:
            InputError: When the file cannot be read safely, or names something that is not loaded.
        """
        checkpoint = read_checkpoint(Path(checkpoint_path), "checkpoint_path")
        check_version(checkpoint.get("crossx"), f"checkpoint_path: {checkpoint_path}")
        for key in (cls.CHECKPOINT_HYPER_PARAMS_KEY, *CHECKPOINT_PAST_HPARAMS_KEYS):
            stored = checkpoint.get(key)
            safe = as_paths(stored, {INSTANTIATOR})
            refuse_imports(_without_files(safe), f"checkpoint_path: {checkpoint_path}", {INSTANTIATOR})
            if isinstance(stored, dict):
                kwargs = {**{name: value for name, value in safe.items() if value != stored[name]}, **kwargs}
        with looked_up_in_former(former_folders(checkpoint)):
            return super().load_from_checkpoint(checkpoint_path, **{"weights_only": True, **kwargs})

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint that was trained against other teachers, or holds another model.

        Raises:
            InputError: When the teachers' hashes differ, or names or shapes of the tensors do.
        """
        about = checkpoint.get("crossx", {})
        check_version(about, "ckpt_path: this file")
        seed = about.get("seed", run_seed())
        resumes = self._trainer is not None and self.trainer.state.fn == "fit"
        if resumes and seed != run_seed():
            rank_zero_warn(
                f"the checkpoint was trained with seed {seed} and goes on with --seed_everything {run_seed()}"
            )
        if resumes:
            for message in overruled(about.get("config", {}).get("model"), self.run_config.get("model")):
                rank_zero_warn(message)
        stored, present = about.get("teachers", {}), frozen_hashes(self)
        if wrong := [place for place in stored if place in present and stored[place] != present[place]]:
            place = wrong[0]
            field = f"teachers.{place}" if place in ("photo", "sketch") else place
            raise InputError(
                f"{field}: this checkpoint was trained with the teacher {stored[place][:12]}, "
                f"the run names {present[place][:12]}; name the same teacher file"
            )
        saved, own = checkpoint.get("state_dict", {}), self.state_dict()
        if different := [n for n in {*saved, *own} if n not in saved or n not in own or saved[n].shape != own[n].shape]:
            raise InputError(
                f"--ckpt_path: the checkpoint holds another model than the config names: {len(different)} tensors are "
                f"missing, too many or of another shape, such as {min(different)!r}"
            )


def _without_files(value: object) -> object:
    """Nested arguments without the names of the teachers' files, which look like those of classes."""
    if not isinstance(value, dict):
        return value
    return {n: _without_files(v) for n, v in value.items() if n not in ("photo_teacher", "sketch_teacher", "aliases")}
