"""BatchNorm statistics and train/eval modes of modules that hold both frozen and trainable networks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from crossx.core.distributed import mean_over_processes
from crossx.networks.frozen import Frozen


def trainable_modules(module: nn.Module) -> Iterator[nn.Module]:
    """All modules inside a module, itself included, except frozen networks and their submodules."""
    if not isinstance(module, Frozen):
        yield module
        for child in module.children():
            yield from trainable_modules(child)


def batch_norms(module: nn.Module) -> list[nn.modules.batchnorm._NormBase]:
    """BatchNorm layers of a module that keep running statistics, except those of frozen networks."""
    layers = (m for m in trainable_modules(module) if isinstance(m, nn.modules.batchnorm._NormBase))
    return [layer for layer in layers if layer.running_mean is not None]


def running_statistics(module: nn.Module) -> dict[str, Tensor]:
    """Running means and variances of the layers of `batch_norms`, by their names in the module's state dict."""
    own = {id(layer) for layer in batch_norms(module)}
    return {
        f"{place}.{name}" if place else name: statistic
        for place, layer in module.named_modules(remove_duplicate=False)
        if id(layer) in own
        for name, statistic in layer.named_buffers(recurse=False)
        if name in ("running_mean", "running_var")
    }


@torch.no_grad()
def averaged_running_statistics(module: nn.Module) -> dict[str, Tensor]:
    """Averages over processes of the running statistics, by their names in the module's state dict.

    A joint run's DDP broadcasts no buffers, so that each process has running statistics of its own.
    """
    return {name: mean_over_processes(statistic) for name, statistic in running_statistics(module).items()}


@torch.no_grad()
def average_running_statistics(module: nn.Module) -> None:
    """Set the running statistics of all processes to their averages."""
    set_running_statistics(module, averaged_running_statistics(module))


@torch.no_grad()
def set_running_statistics(module: nn.Module, statistics: Mapping[str, Tensor]) -> None:
    """Copy running statistics, by their names in the module's state dict, into the module."""
    for name, statistic in running_statistics(module).items():
        statistic.copy_(statistics[name])


@contextmanager
def batch_statistics_only(module: nn.Module) -> Iterator[None]:
    """Normalise with the statistics of the current batch, in any mode, and leave the running statistics unchanged."""
    layers = batch_norms(module)
    before = [(layer.training, layer.track_running_stats) for layer in layers]
    for layer in layers:
        layer.training, layer.track_running_stats = True, False
    try:
        yield
    finally:
        for layer, (training, track) in zip(layers, before, strict=True):
            layer.training, layer.track_running_stats = training, track


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Run a module in eval mode and restore the mode of every submodule afterwards."""
    before = [(m, m.training) for m in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for m, training in before:
            m.training = training
