"""Data-parallel training of players that take turns."""

from collections.abc import Iterable
from datetime import timedelta

import torch
import torch.distributed as dist
from lightning.pytorch.overrides.distributed import _sync_module_states  # what DDPStrategy calls outside of a fit
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.distributed.constants import default_pg_timeout

from crossx.core.errors import InputError


class PlayersDDP(DDPStrategy):
    """DDP for joint runs: a step exchanges the gradients of the player whose turn it is, and nothing of the others.

    `DistributedDataParallel`, which Lightning wraps around the root module, would look for the parameters without a
    gradient in each step and exchange zeros for them: of two ResNet-34 these are 170 MB in each step of the generators.
    Here the module stays as it is, and `AlternatingModule` has the gradients averaged after each backward. That takes
    memory for one more copy of the player's gradients, and does not overlap with the backward. Buffers are not
    exchanged: crossx averages running statistics itself, where they are saved.

    Args:
        timeout: How long a process waits for the others.
        process_group_backend: `nccl` or `gloo`; None for what suits the devices.
    """

    def __init__(self, timeout: timedelta = default_pg_timeout, process_group_backend: str | None = None) -> None:
        super().__init__(timeout=timeout, process_group_backend=process_group_backend)

    def configure_ddp(self) -> None:
        """Give all processes the weights of the first one, in place of the wrapping.

        Raises:
            InputError: When the run is not joint, and nobody would average the gradients.
        """
        if self.lightning_module is None or self.lightning_module.automatic_optimization:
            raise InputError("trainer.strategy: must be auto or ddp in a run that is not joint, got PlayersDDP")
        _sync_module_states(self.lightning_module)

    @torch.no_grad()
    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their means over the processes, in one exchange for each type of number.

        Args:
            parameters: The parameters of the player whose turn it is, in an order that all processes have. One without
                a gradient counts as 0 where another process has a gradient, and stays without where none has.
        """
        if dist.get_world_size() == 1:
            return
        by_type: dict[torch.dtype, list[nn.Parameter]] = {}
        for parameter in parameters:
            by_type.setdefault(parameter.dtype, []).append(parameter)
        for alike in by_type.values():
            mine = [float(p.grad is not None) for p in alike]
            grads = [p.new_zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in alike]
            device = alike[0].device
            flags = torch.tensor(mine, dtype=alike[0].dtype).to(device, non_blocking=device.type == "cuda")
            exchanged = torch.cat([*grads, flags])
            dist.all_reduce(exchanged)
            exchanged.div_(dist.get_world_size())
            *means, has = torch.split(exchanged, [*(p.numel() for p in alike), len(alike)])
            # Only a process that misses a gradient has to ask, which waits for the device.
            anywhere = mine if all(mine) else has.tolist()
            for parameter, mean, given in zip(alike, means, anywhere, strict=True):
                if not given:
                    continue
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                # In place: fused optimisers take a gradient for one with the parameter's strides.
                parameter.grad.copy_(mean.view_as(parameter))
