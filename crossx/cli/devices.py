"""How many devices a run is to use, and how its processes find each other."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jsonargparse import Namespace
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.training.launch import Launch, read_launch
from crossx.training.limits import check_strategy
from crossx.training.players_ddp import PlayersDDP

Devices = int | str | list[int]
"""What `trainer.devices` may be."""
_ALL = ("auto", -1, "-1")
_PROCESSES_PER_CORE = 8
"""More processes on a CPU than anybody means, and than its memory holds."""


@dataclass(frozen=True)
class Processes:
    """The processes of a run.

    Attributes:
        devices: Value of `trainer.devices`: what the user set, or what a launcher started in the place of `auto`.
        environment: How they find each other, where Lightning would be misled; None leaves it to Lightning.
    """

    devices: Devices
    environment: ClusterEnvironment | None = None


def visible_gpus(trainer: Namespace) -> int | None:
    """Number of GPUs that this process sees; None for a run on the CPU."""
    on_gpu = trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return torch.cuda.device_count() if on_gpu else None


def processes_of(trainer: Namespace, environ: Mapping[str, str], gpus: int | None) -> Processes:
    """Fit the trainer's devices to what a launcher has started.

    Args:
        trainer: The trainer's arguments.
        environ: The environment variables.
        gpus: GPUs that this process sees; None for a run on the CPU.

    Raises:
        InputError: When the devices are no number, or the processes would not make one run.
    """
    launch = read_launch(environ)
    devices = trainer.devices
    if launch is not None:
        per_node = _per_node(launch, trainer.num_nodes)
        _check_gpus(launch, per_node, gpus, environ)
        devices = per_node if devices in _ALL else devices
        if _count(devices, gpus) != per_node:
            raise InputError(
                f"trainer.devices: must be {per_node} or auto, the processes of a node that {launch.launcher} started "
                f"({launch.variable}={launch.processes}), got {devices}"
            )
    count = _count(devices, gpus)
    if gpus is None and count > (most := _PROCESSES_PER_CORE * (os.cpu_count() or 1)):
        raise InputError(
            f"trainer.devices: must be at most {most} processes on the CPU cores of this machine, got {devices}"
        )
    if gpus is not None and count > gpus:
        raise InputError(
            f"trainer.devices: must be at most {gpus}, the GPUs that this process sees{_visible(environ)}, "
            f"got {devices}"
        )
    return Processes(devices, _environment(launch, count, environ))


def process_arguments(trainer: Namespace, plugins: object, joint: bool) -> dict[str, Any]:
    """Return the arguments of a Trainer that depend on the processes of the run.

    Args:
        trainer: The trainer's arguments, as they were parsed.
        plugins: The plugins among them, built.
        joint: Whether the run is joint, and takes a DDP of its own.

    Raises:
        InputError: See `processes_of` and `check_strategy`.
    """
    processes = processes_of(trainer, os.environ, visible_gpus(trainer))
    arguments: dict[str, Any] = {"devices": processes.devices}
    if processes.environment is not None:
        named = plugins if isinstance(plugins, list) else [plugins]
        arguments["plugins"] = [processes.environment, *(plugin for plugin in named if plugin is not None)]
    if joint:
        check_strategy(trainer.strategy)
        started = trainer.clone()
        started.devices = processes.devices
        if wants_ddp(started):
            arguments["strategy"] = PlayersDDP()
    return arguments


def wants_ddp(trainer: Namespace) -> bool:
    """Whether a run has several processes, for which a joint run needs a DDP of its own.

    Args:
        trainer: The trainer's arguments.

    Raises:
        InputError: When the number of devices is no number.
    """
    if trainer.strategy != "auto":
        return bool(trainer.strategy == "ddp")  # a user's own strategy object stays as it is
    return _count(trainer.devices, visible_gpus(trainer)) > 1 or trainer.num_nodes > 1


def _environment(launch: Launch | None, count: int, environ: Mapping[str, str]) -> ClusterEnvironment | None:
    if "TORCHELASTIC_RUN_ID" in environ or (launch is not None and launch.launcher == "Slurm"):
        return None
    if launch is not None and "RANK" in environ:  # torchrun's variables, set by another launcher
        return TorchElasticEnvironment()
    # One task of Slurm, or none: Lightning starts processes itself, and Slurm's numbers would mislead it.
    mislead = "SLURM_NTASKS" in environ and (count > 1 or "SLURM_PROCID" not in environ)
    return LightningEnvironment() if mislead else None


def _per_node(launch: Launch, num_nodes: int) -> int:
    nodes = num_nodes if launch.nodes is None else launch.nodes
    if nodes != num_nodes:
        raise InputError(
            f"trainer.num_nodes: must be {nodes}, the nodes on which {launch.launcher} started processes, got "
            f"{num_nodes}"
        )
    per_node = launch.processes // nodes if launch.per_node is None else launch.per_node
    if per_node * nodes != launch.processes:
        raise InputError(
            f"{launch.variable}: must be the processes of a node times the nodes, {per_node} x {nodes}, got "
            f"{launch.processes}; set trainer.num_nodes to the number of nodes, each with as many processes"
        )
    return per_node


def _check_gpus(launch: Launch, per_node: int, gpus: int | None, environ: Mapping[str, str]) -> None:
    if gpus is None or gpus >= per_node:
        return
    way = {
        "Slurm": "ask for --gpus-per-node in place of --gpus-per-task, or start with srun --gpu-bind=none",
        "torchrun": f"unset CUDA_VISIBLE_DEVICES, or start torchrun with --nproc-per-node {max(gpus, 1)}",
    }
    raise InputError(
        f"CUDA_VISIBLE_DEVICES: each of the {per_node} processes of a node must see the GPUs of all, and sees "
        f"{gpus}{_visible(environ)}; {way[launch.launcher]}"
    )


def _visible(environ: Mapping[str, str]) -> str:
    listed = environ.get("CUDA_VISIBLE_DEVICES")
    return "" if listed is None else f" (CUDA_VISIBLE_DEVICES={listed})"


def _count(devices: object, gpus: int | None) -> int:
    legal = "must be a number, a list of numbers, or auto"
    if devices in _ALL:
        return 1 if gpus is None else gpus
    if devices is None:
        raise InputError(f"trainer.devices: {legal}; got null")
    if isinstance(devices, int):
        must_be_in("trainer.devices", devices, "[1, inf)")
    if isinstance(devices, str):
        listed = devices.strip(",").split(",")
        if not all(name.strip().isdecimal() for name in listed):
            raise InputError(f"trainer.devices: {legal}; got {devices!r}")
        return len(listed) if "," in devices else int(devices)
    return len(devices) if isinstance(devices, list) else int(devices)  # type: ignore[call-overload]  # a number
