"""Checks of the trainer's settings that hold for every run."""

from enum import Enum

import yaml
from jsonargparse import Namespace

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError

_LEAST = {
    "max_steps": -1,
    "max_epochs": -1,
    "min_steps": 0,
    "min_epochs": 0,
    "num_nodes": 1,
    "num_sanity_val_steps": -1,
    "check_val_every_n_epoch": 1,
    "log_every_n_steps": 0,
    "reload_dataloaders_every_n_epochs": 0,
    "fast_dev_run": 0,
}
_PARTS = (
    *("limit_train_batches", "limit_val_batches", "limit_test_batches", "limit_predict_batches"),
    *("overfit_batches", "val_check_interval"),
)
"""Numbers of batches, or shares of them."""
_WORK = {
    "fit": "limit_train_batches",
    "validate": "limit_val_batches",
    "test": "limit_test_batches",
    "predict": "limit_predict_batches",
}
"""What limits the work of a verb."""


# Some defaults of Lightning's callbacks are enumerations, such as the interval of Timer: config.yaml has their texts.
yaml.SafeDumper.add_multi_representer(Enum, lambda dumper, member: dumper.represent_data(member.value))


def check_settings(trainer: Namespace, verb: str) -> None:
    """Check the numbers among the trainer's arguments, which Lightning takes as they are or refuses without a name.

    Args:
        trainer: The trainer's arguments.
        verb: fit, validate, test or predict.

    Raises:
        InputError: When `max_steps` and `max_epochs` are both set, a number is out of range, or nothing would be
            trained or measured.
    """
    for name, least in _LEAST.items():
        value = trainer[name]
        if isinstance(value, int) and not isinstance(value, bool):
            must_be_in(f"trainer.{name}", value, f"[{least}, inf)")
    for name in _PARTS:
        value = trainer[name]
        if isinstance(value, float):
            must_be_in(f"trainer.{name} (a share of the batches)", value, _share(name))
        elif isinstance(value, int):
            must_be_in(f"trainer.{name}", value, "[1, inf)" if name == "val_check_interval" else "[0, inf)")
    if trainer.gradient_clip_val is not None:
        must_be_in("trainer.gradient_clip_val", trainer.gradient_clip_val, "(0, inf)")
    for logger in trainer.logger if isinstance(trainer.logger, list) else [trainer.logger]:
        arguments = logger.get("init_args") if isinstance(logger, Namespace) else None
        if arguments is not None and arguments.get("flush_logs_every_n_steps") is not None:
            every = arguments.flush_logs_every_n_steps
            must_be_in("trainer.logger.flush_logs_every_n_steps", every, "[1, inf)")
    if trainer.max_steps != -1 and trainer.max_epochs not in (None, -1):
        raise InputError(
            f"trainer.max_epochs: must be -1 where trainer.max_steps is set, got {trainer.max_epochs} and "
            f"trainer.max_steps: {trainer.max_steps}; with both, a run that resumes at an epoch's end trains "
            "nothing"
        )
    _check_work(trainer, verb)


def _share(name: str) -> str:
    return "(0, 1]" if name == "val_check_interval" else "[0, 1]"


def _check_work(trainer: Namespace, verb: str) -> None:
    """Refuse a run that would read no image."""
    if trainer.fast_dev_run or trainer.overfit_batches:  # both set the limits
        return
    name = _WORK[verb]
    if trainer[name] == 0:
        raise InputError(f"trainer.{name}: must be above 0 for `crossx {verb}`, which would do nothing, got 0")
