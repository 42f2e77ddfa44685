"""Frozen teachers: how they are read, what they answer, and why nothing can change them."""

import hashlib
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from crossx.backbones import Network
from crossx.preprocessing import Preprocessing
from crossx.teachers.card import TeacherCard
from crossx.teachers.files import open_teacher, save_teacher
from crossx.teachers.statistics import channel_statistics
from crossx.types import LayerStatistics, TeacherOutput


class FrozenTeacher(nn.Module):
    """A classifier that is used and never trained.

    Its parameters have no gradients, it stays in eval mode, and it is in no state dict, whoever holds it: its weights
    belong to its own file. A copy of a module that holds it holds the same teacher.

    Args:
        network: The classifier; it becomes the teacher's own.
        card: Its card.

    Attributes:
        card: The card.
        hash: SHA-256 (hex) of the card and all tensors, taken at construction.
    """

    def __init__(self, network: Network, card: TeacherCard) -> None:
        super().__init__()
        self.card = card
        self.network = network
        self.preprocessing = Preprocessing(card.input_size, card.mean, card.std)
        self.requires_grad_(False).eval()
        self.register_state_dict_post_hook(_leave_out)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_forgive_missing)  # type: ignore[no-untyped-call]
        self._prefix = ""
        self.hash = self.fingerprint()

    def forward(self, x: Tensor, statistics: bool = False) -> TeacherOutput:
        """Judge images.

        Args:
            x: (B, 3, H, W) in [0, 1]; resized and normalised as the card says, differentiably.
            statistics: Also read the mean and variance that each BatchNorm layer sees.

        Returns:
            Logits (B, K), features (B, F), and the statistics where asked for.
        """
        with _batch_norm_statistics(self.network, statistics) as layers:
            features = self.network.pooled(self.preprocessing(x))
            return TeacherOutput(self.network.classify(features), features, layers)

    def fingerprint(self) -> str:
        """SHA-256 (hex) of card and tensors as they are now; it equals `hash` as long as nothing has moved."""
        digest = hashlib.sha256(self.card.to_json().encode())
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def train(self, mode: bool = True) -> "FrozenTeacher":
        """Stay in eval mode."""
        return super().train(False)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - refused whatever comes
        """Refused.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("a FrozenTeacher is read from its own file (load_teacher), never from a state dict")

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
        # `state_dict` is torch's own copy of the part below `prefix`. What somebody put there for us is reported and
        # dropped before the network, which is loaded next, can take it.
        self._prefix = prefix
        for key in [key for key in state_dict if key.startswith(prefix)]:
            if strict:
                unexpected_keys.append(key)
            del state_dict[key]

    def __deepcopy__(self, memo: dict[int, Any]) -> "FrozenTeacher":
        """The same object: one copy a process, also inside an averaged copy of its holder."""
        return self


def _leave_out(module: nn.Module, state_dict: dict[str, Any], prefix: str, local_metadata: object) -> None:  # noqa: ARG001
    for key in [key for key in state_dict if key.startswith(prefix)]:
        del state_dict[key]


def _forgive_missing(module: FrozenTeacher, incompatible: Any) -> None:  # noqa: ANN401 - torch's private named tuple
    incompatible.missing_keys[:] = [key for key in incompatible.missing_keys if not key.startswith(module._prefix)]


@contextmanager
def _batch_norm_statistics(network: nn.Module, wanted: bool) -> Iterator[list[LayerStatistics]]:
    """Collect the input statistics of BatchNorm layers by hooks that live as long as the context."""
    collected: list[LayerStatistics] = []

    def collect(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        mean, var = channel_statistics(inputs[0])
        collected.append(LayerStatistics(mean, var, layer.running_mean, layer.running_var))  # type: ignore[arg-type]

    layers = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    handles = [layer.register_forward_pre_hook(collect) for layer in layers if wanted]
    try:
        yield collected
    finally:
        for handle in handles:
            handle.remove()


# One copy a process as long as somebody holds it; a file that was written anew is read anew.
_loaded: weakref.WeakValueDictionary[tuple[object, ...], FrozenTeacher] = weakref.WeakValueDictionary()


def load_teacher(spec: str | os.PathLike[str], field: str = "teacher") -> FrozenTeacher:
    """Read a teacher; whoever asks for the same one gets the same object.

    Args:
        spec: A `.safetensors` file with a card in its header; a `.yaml` card that names its weights under `weights`
            (a `.safetensors` file, or a state dict in a `.pt` or `.pth` file); or `timm:<model name>` with timm's
            pretrained weights.
        field: The config field, for messages.

    Raises:
        InputError: When the file is missing, unsafe or damaged, or card and weights do not fit each other.
    """
    file = open_teacher(os.fspath(spec), field)
    teacher = _loaded.get(file.key)
    if teacher is None:
        # A network is initialised before it is filled: that must not move the run's generator, because it happens only
        # where nobody holds the teacher already.
        with torch.random.fork_rng(devices=[]):
            teacher = _loaded[file.key] = FrozenTeacher(file.network(), file.card)
    return teacher


def read_card(spec: str | os.PathLike[str], field: str = "teacher") -> TeacherCard:
    """Read only the card of a teacher, without its weights; arguments and errors as in `load_teacher`."""
    return open_teacher(os.fspath(spec), field).card


__all__ = ["FrozenTeacher", "load_teacher", "read_card", "save_teacher"]
