"""Data-parallel training of players that take turns."""

from collections.abc import Iterable

import torch
import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from torch import nn


class PlayersDDP(DDPStrategy):
    """DDP for joint runs: a step exchanges the gradients of the player whose turn it is, and nothing of the others.

    `DistributedDataParallel`, which Lightning wraps around the root module, would look for the parameters without a
    gradient in each step and exchange zeros for them: of two ResNet-34 these are 170 MB in each step of the generators.
    Here the module stays as it is, and `AlternatingModule` has the gradients averaged after each backward. Buffers are
    not exchanged: crossx averages running statistics itself, where they are saved.
    """

    def configure_ddp(self) -> None:
        """Give all processes the weights of the first one, in place of the wrapping."""
        if self.model is None:
            raise RuntimeError("Lightning sets the model before it sets up the processes")
        for tensor in [*self.model.parameters(), *self.model.buffers()]:
            dist.broadcast(tensor.detach(), src=0)

    @torch.no_grad()
    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their means over the processes, in one exchange for each type of number.

        Args:
            parameters: The parameters of the player whose turn it is, in an order that all processes have. One without
                a gradient counts as 0 where another process has a gradient, and stays without where none has.
        """
        by_type: dict[torch.dtype, list[nn.Parameter]] = {}
        for parameter in parameters:
            by_type.setdefault(parameter.dtype, []).append(parameter)
        for alike in by_type.values():
            mine = [float(p.grad is not None) for p in alike]
            grads = [p.new_zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in alike]
            exchanged = torch.cat([torch.tensor(mine).to(alike[0]), *grads])
            dist.all_reduce(exchanged)
            lengths = [len(alike), *(p.numel() for p in alike)]
            has, *means = torch.split(exchanged / dist.get_world_size(), lengths)
            # Only a process that misses a gradient has to ask, which waits for the device.
            anywhere = mine if all(mine) else has.tolist()
            for parameter, mean, given in zip(alike, means, anywhere, strict=True):
                parameter.grad = mean.view_as(parameter) if given else None
