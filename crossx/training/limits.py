"""Trainer settings that a run cannot honour, each with the reason and what to use instead."""

from collections.abc import Sequence

import lightning.pytorch as pl
from lightning.pytorch.callbacks import (
    BackboneFinetuning,
    BaseFinetuning,
    Callback,
    GradientAccumulationScheduler,
    ModelPruning,
    WeightAveraging,
)
from lightning.pytorch.strategies import SingleDeviceStrategy

from crossx.core.errors import InputError
from crossx.training.players_ddp import PlayersDDP

JOINT_PRECISION = ("32-true", "bf16-mixed")
PRECISION = (*JOINT_PRECISION, "16-mixed")
MEASURING_PRECISION = (*PRECISION, "64-true")
_ALIASES = {"32": "32-true", "64": "64-true", "16": "16-mixed", "bf16": "bf16-mixed", "None": "32-true"}


def check_precision(precision: object, joint: bool, trains: bool = True) -> None:
    """Refuse a precision in which crossx does not train, or does not measure.

    Args:
        precision: The trainer's precision, in any of Lightning's spellings.
        joint: Whether the run is joint.
        trains: Whether the run trains; otherwise it measures.

    Raises:
        InputError: With the precisions that are possible.
    """
    name = _ALIASES.get(str(precision), str(precision))
    if joint and name not in JOINT_PRECISION:
        raise InputError(
            f"trainer.precision: must be one of {', '.join(JOINT_PRECISION)} in a joint run, got {name} "
            "(16-mixed has one gradient scaler for all optimisers, and BatchNorm statistics overflow in float16)"
        )
    legal = PRECISION if trains else MEASURING_PRECISION
    if name not in legal:
        raise InputError(
            f"trainer.precision: must be one of {', '.join(legal)} in a run of crossx, got {name}, to which "
            "Lightning would cast all weights, and frozen teachers too"
        )


def check_fit(trainer: pl.Trainer, beside_frozen: bool) -> None:
    """Refuse what no fit of crossx can honour.

    Args:
        trainer: The run's trainer.
        beside_frozen: Whether the module that trains holds frozen networks, such as teachers.

    Raises:
        InputError: Naming the setting, the reason, and what to use instead.
    """
    if beside_frozen and trainer._accelerator_connector._layer_sync is not None:
        raise InputError(
            "trainer.sync_batchnorm: must be false in a run with teachers: Lightning would convert the frozen teachers "
            "too, and lose timm's fused activations; use norm: group, or larger batches a process"
        )
    instead = "because every batch is one optimiser step; use a larger data.batch_size or more devices"
    if trainer.accumulate_grad_batches != 1:
        raise InputError(
            f"trainer.accumulate_grad_batches: must be 1, got {trainer.accumulate_grad_batches}, {instead}"
        )
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set in Trainer's constructor
        _check_callback(callback, beside_frozen)
        if isinstance(callback, GradientAccumulationScheduler) and set(callback.scheduling.values()) != {1}:
            raise InputError(
                f"trainer.callbacks: {type(callback).__name__} must accumulate 1 batch, got {callback.scheduling}, "
                f"{instead}"
            )


def _check_callback(callback: Callback, beside_frozen: bool) -> None:
    """Refuse callbacks of Lightning that want another kind of model."""
    name = type(callback).__name__
    if isinstance(callback, BackboneFinetuning) or type(callback) is BaseFinetuning:
        raise InputError(
            f"trainer.callbacks: must not have {name}, which freezes an attribute `backbone` that models of crossx do "
            "not have; the encoders' network_rate sets the rate of the pretrained part"
        )
    if isinstance(callback, ModelPruning | WeightAveraging) and beside_frozen:
        raise InputError(
            f"trainer.callbacks: must not have {name} in a run with teachers, because it would change the frozen "
            "teachers, too"
        )


def check_trainer(trainer: pl.Trainer, players: Sequence[str]) -> None:
    """Refuse what a joint run, whose players train in turn, cannot honour.

    Args:
        trainer: The run's trainer.
        players: Names of the players, for messages.

    Raises:
        InputError: Naming the setting, the reason, and what to use instead.
    """
    if trainer.gradient_clip_val is not None:
        raise InputError(
            "trainer.gradient_clip_val: must be unset in a joint run, whose sides have an optimiser each; use "
            f"clip_norm of {' and '.join(f'model.{player}' for player in players)}"
        )
    if trainer.accumulate_grad_batches != 1:
        raise InputError(
            "trainer.accumulate_grad_batches: must be 1 in a joint run, where every batch is one optimiser step of one "
            "side; use a larger data.batch_size or more devices"
        )
    check_precision(trainer.precision_plugin.precision, joint=True)
    strategy = trainer.strategy
    if not isinstance(strategy, SingleDeviceStrategy | PlayersDDP):
        raise _wrong_strategy(type(strategy).__name__)


def check_strategy(strategy: object) -> None:
    """Refuse the name of a strategy before Lightning complains about missing GPUs or packages.

    Args:
        strategy: A name, or an object, which `check_trainer` checks.

    Raises:
        InputError: With the names that are possible.
    """
    if isinstance(strategy, str) and strategy not in ("auto", "ddp"):
        raise _wrong_strategy(strategy)


def _wrong_strategy(name: str) -> InputError:
    return InputError(
        f"trainer.strategy: must be auto, ddp or crossx.training.players_ddp.PlayersDDP in a joint run, got {name} "
        "(sharding needs one optimiser over all parameters, and plain DDP needs all parameters in every step)"
    )
