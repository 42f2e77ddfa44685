"""How many devices a run is to use."""

import torch
from jsonargparse import Namespace

from crossx.core.errors import InputError


def wants_ddp(trainer: Namespace) -> bool:
    """Whether a run has several processes, for which a joint run needs a DDP of its own.

    Args:
        trainer: The trainer's arguments.

    Raises:
        InputError: When the number of devices is no number.
    """
    if trainer.strategy != "auto":
        return bool(trainer.strategy == "ddp")  # a user's own strategy object stays as it is
    on_gpu = trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    devices = trainer.devices
    if devices in ("auto", -1, "-1"):
        devices = torch.cuda.device_count() if on_gpu else 1
    if isinstance(devices, str):
        try:
            devices = devices.split(",") if "," in devices else int(devices)
        except ValueError as error:
            raise InputError(
                f"trainer.devices: must be a number, a list of numbers, or auto; got {devices!r}"
            ) from error
    count = len(devices) if isinstance(devices, list) else devices
    return count > 1 or trainer.num_nodes > 1
