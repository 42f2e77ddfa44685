"""A frozen teacher that reads images of another kind than those it was trained on."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from crossx.networks.channel_statistics import channel_statistics
from crossx.teachers.teacher import FrozenTeacher
from crossx.types import TeacherOutput


class AdaptedTeacher(nn.Module):
    """A frozen teacher whose BatchNorm layers have the statistics of other images (AdaBN, arXiv 1603.04779).

    The weights stay those of the teacher, which itself does not change. A teacher without BatchNorm layers is run as
    it is.

    Args:
        teacher: The teacher.

    Attributes:
        statistics: Means and variances of all layers one behind the other, as the state dict holds them; those of the
            teacher before the first `adapt`.
    """

    statistics: Tensor

    def __init__(self, teacher: FrozenTeacher) -> None:
        super().__init__()
        self.teacher = teacher
        buffers = dict(teacher.named_buffers())
        layers = [name for name, layer in teacher.named_modules() if _keeps_statistics(layer)]
        names = [f"{layer}.{statistic}" for layer in layers for statistic in ("running_mean", "running_var")]
        self._lengths = {name: len(buffers[name]) for name in names}
        own = [buffers[name].detach().float() for name in names]
        self.register_buffer("statistics", torch.cat(own) if own else torch.empty(0))

    @property
    def applies(self) -> bool:
        """Whether the teacher has BatchNorm layers."""
        return len(self._lengths) > 0

    def forward(self, images: Tensor) -> TeacherOutput:
        """Classify images, (B, 3, H, W) in [0, 1], by the statistics of the other images."""
        output: TeacherOutput = functional_call(self.teacher, self._buffers_of_layers(), (images,))
        return output

    @torch.no_grad()
    def adapt(self, chunks: Iterable[Tensor]) -> None:
        """Take the statistics anew: averages over chunks, each layer behind layers that normalise by the chunk.

        Args:
            chunks: Images that are run together, (N, 3, H, W) in [0, 1] each, in random order.
        """
        total, count = torch.zeros_like(self.statistics), 0
        for images in chunks:
            with self._normalising_by_batch():
                self(images)
            total += self.statistics * len(images)
            count += len(images)
        self.statistics.copy_(total / count)

    def _buffers_of_layers(self) -> dict[str, Tensor]:
        return dict(zip(self._lengths, torch.split(self.statistics, list(self._lengths.values())), strict=True))

    @contextmanager
    def _normalising_by_batch(self) -> Iterator[None]:
        """Write the statistics of each layer's input into `statistics` before the layer normalises by them."""

        def renew(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            # The buffers are views of `statistics` for as long as the call lasts.
            mean, var = channel_statistics(inputs[0])
            layer.running_mean.copy_(mean)  # type: ignore[operator]  # a buffer
            layer.running_var.copy_(var)  # type: ignore[operator]  # a buffer

        handles = [
            layer.register_forward_pre_hook(renew) for layer in self.teacher.modules() if _keeps_statistics(layer)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _keeps_statistics(layer: nn.Module) -> bool:
    return isinstance(layer, _BatchNorm) and layer.running_mean is not None
