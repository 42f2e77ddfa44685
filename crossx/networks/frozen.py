"""Networks that are used and never trained, cannot be changed, and are not part of checkpoints."""

import hashlib
from typing import Any

import torch
from torch import Tensor, nn


class Frozen(nn.Module):
    """A network that is used and never trained; base class of frozen teachers and of other frozen networks.

    The parameters have no gradients, the network stays in eval mode, and no state dict contains it, because its weights
    belong to a file of their own. A deep copy of a module that holds it shares it.

    A subclass builds its layers and calls `freeze` at the end of its constructor.

    Attributes:
        hash: SHA-256 (hex) of the description and all tensors, taken by `freeze`.
    """

    hash: str

    def freeze(self, description: str) -> None:
        """Freeze all parameters and take the hash.

        Args:
            description: Further identity of the network, such as its card; part of the hash.
        """
        self.requires_grad_(False).eval()
        self.register_state_dict_post_hook(_leave_out)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_forgive_missing)  # type: ignore[no-untyped-call]
        self._prefix = ""
        self._description = description
        self.hash = self.fingerprint()

    @property
    def title(self) -> str:
        """Short name of the network, for messages."""
        return type(self).__name__

    def hashed_tensors(self) -> dict[str, Tensor]:
        """Tensors of the fingerprint by name; by default all persistent tensors."""
        tensors: dict[str, Tensor] = {}
        for name, child in self.named_children():
            tensors.update(child.state_dict(prefix=f"{name}."))
        return tensors

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the description and the current tensors; equal to `hash` as long as nothing has changed."""
        digest = hashlib.sha256(self._description.encode())
        for name, tensor in sorted(self.hashed_tensors().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def train(self, mode: bool = True) -> "Frozen":
        """Keep eval mode, whatever the argument."""
        return super().train(False)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - always refused
        """Refuse to load a state dict.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("a frozen network is read from its own file, never from a state dict")

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        # `state_dict` is torch's own copy of the part below `prefix`. Tensors in it are reported and removed before the
        # submodules, which are loaded next, can take them.
        self._prefix = prefix
        for key in [key for key in state_dict if key.startswith(prefix)]:
            if strict:
                unexpected_keys.append(key)
            del state_dict[key]

    def __deepcopy__(self, memo: dict[int, Any]) -> "Frozen":
        """Return the same object: one copy for each process, also in an averaged copy of the module that holds it."""
        return self


def _leave_out(module: nn.Module, state_dict: dict[str, Any], prefix: str, local_metadata: object) -> None:  # noqa: ARG001
    for key in [key for key in state_dict if key.startswith(prefix)]:
        del state_dict[key]


def _forgive_missing(module: Frozen, incompatible: Any) -> None:  # noqa: ANN401 - torch's private named tuple
    incompatible.missing_keys[:] = [key for key in incompatible.missing_keys if not key.startswith(module._prefix)]
