"""Constant tensors on whatever device they are used on."""

from typing import Any

import torch
from torch import Tensor


class Table:
    """A constant tensor with a copy on each device that it was used on.

    It is for what is no part of a module. `tensor.to(device)` at each use would copy it anew every time. What it
    returns is shared, and must not be changed in place.

    Args:
        values: The tensor.
    """

    def __init__(self, values: Tensor) -> None:
        self._values = values
        self._copies = {values.device: values}

    def on(self, device: torch.device) -> Tensor:
        """Return the tensor on a device."""
        if device not in self._copies:
            # A copy made in inference mode could not be used in training later.
            with torch.inference_mode(False):
                self._copies[device] = self._values.to(device)
        return self._copies[device]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle without the copies on devices, which another process may not have."""
        return Table, (self._values,)
