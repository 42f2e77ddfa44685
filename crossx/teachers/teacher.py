"""Frozen teachers, and how they are loaded."""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from crossx.networks.base import Network
from crossx.networks.channel_statistics import channel_statistics
from crossx.networks.frozen import Frozen
from crossx.networks.preprocessing import Preprocessing
from crossx.teachers.card import TeacherCard
from crossx.teachers.files import open_teacher, save_teacher
from crossx.types import LayerStatistics, TeacherOutput


class FrozenTeacher(Frozen):
    """A classifier that is used and never trained.

    Args:
        network: The classifier; the teacher takes it over and freezes it.
        card: The card of the classifier.

    Attributes:
        card: The card.
        hash: SHA-256 (hex) of the card and all tensors, taken at construction.
    """

    def __init__(self, network: Network, card: TeacherCard) -> None:
        super().__init__()
        self.card = card
        self.network = network
        self.preprocessing = Preprocessing(*card.input_format)
        self.freeze(replace(card, pen=None).to_json())

    @property
    def title(self) -> str:
        """Name on the card."""
        return self.card.name

    def hashed_tensors(self) -> dict[str, Tensor]:
        """Tensors of the network, by their names in the teacher file."""
        return self.network.state_dict()

    def forward(self, x: Tensor, statistics: bool = False) -> TeacherOutput:
        """Classify images.

        Args:
            x: (B, 3, H, W) in [0, 1]; resized and normalised as the card says, differentiably.
            statistics: Also compute mean and variance of the inputs of each BatchNorm layer.

        Returns:
            Logits (B, K), features (B, F), and the statistics if requested.
        """
        with _batch_norm_statistics(self.network, statistics) as layers:
            features = self.network.pooled(self.preprocessing(x))
            return TeacherOutput(self.network.classify(features), features, layers)

    def first_statistics(self, x: Tensor, layers: int) -> list[LayerStatistics]:
        """Compute the input statistics of the first BatchNorm layers; the layers behind them do not run.

        Args:
            x: As in `forward`.
            layers: Number of layers, at least 1.

        Returns:
            Statistics of the layers in the order in which they run; all where there are fewer.
        """
        with _batch_norm_statistics(self.network, True, layers) as collected, suppress(_Enough):
            self.network.pooled(self.preprocessing(x))
        return collected


class _Enough(Exception):  # noqa: N818 - no error
    """Ends a forward whose further layers nobody reads; networks of all kinds can be left in no other way."""


@contextmanager
def _batch_norm_statistics(
    network: nn.Module, wanted: bool, most: int | None = None
) -> Iterator[list[LayerStatistics]]:
    """Collect the input statistics of BatchNorm layers by hooks that live as long as the context.

    Raises:
        _Enough: From within the forward, when so many layers have been read.
    """
    collected: list[LayerStatistics] = []

    def collect(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        mean, var = channel_statistics(inputs[0])
        collected.append(LayerStatistics(mean, var, layer.running_mean, layer.running_var))  # type: ignore[arg-type]
        if len(collected) == most:
            raise _Enough

    layers = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    handles = [layer.register_forward_pre_hook(collect) for layer in layers if wanted]
    try:
        yield collected
    finally:
        for handle in handles:
            handle.remove()


# One copy for each process as long as it is in use; a file that has changed is read again.
_loaded: weakref.WeakValueDictionary[tuple[object, ...], FrozenTeacher] = weakref.WeakValueDictionary()


def load_teacher(spec: str | os.PathLike[str], field: str = "teacher") -> FrozenTeacher:
    """Load a teacher; further calls for the same teacher return the same object.

    Args:
        spec: A `.safetensors` file with a card in its header; a `.yaml` card that names its weights under `weights`
            (a `.safetensors` file, or a state dict in a `.pt` or `.pth` file); or `timm:<model name>` with timm's
            pretrained weights.
        field: The config field, for messages.

    Raises:
        InputError: When the file is missing, unsafe or damaged, or card and weights do not match.
    """
    file = open_teacher(os.fspath(spec), field)
    teacher = _loaded.get(file.key)
    if teacher is None:
        # A network draws random weights before its own are loaded. This must not advance the run's random generator,
        # because it happens only where the teacher is not loaded yet.
        with torch.random.fork_rng(devices=[]):
            teacher = _loaded[file.key] = FrozenTeacher(file.network(), file.card)
    return teacher


def read_card(spec: str | os.PathLike[str], field: str = "teacher") -> TeacherCard:
    """Read only the card of a teacher, without its weights; arguments and errors as in `load_teacher`."""
    return open_teacher(os.fspath(spec), field).card


__all__ = ["FrozenTeacher", "load_teacher", "read_card", "save_teacher"]
