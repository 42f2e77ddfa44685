"""BatchNorm statistics and train/eval modes of modules that hold both frozen and trainable networks."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

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


@torch.no_grad()
def average_running_statistics(module: nn.Module) -> None:
    """Average BatchNorm running statistics over processes; DDP does not do it, because buffers are not broadcast."""
    for layer in batch_norms(module):
        for statistic in (layer.running_mean, layer.running_var):
            if statistic is not None:
                statistic.copy_(mean_over_processes(statistic))


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
