"""Runs a function in several gloo processes on one machine."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

P = ParamSpec("P")
T = TypeVar("T")

SEED = "PL_GLOBAL_SEED"
"""Where Lightning keeps a run's seed."""

# Processes are forked from one that has imported crossx and runs nothing: it takes each seconds to import it anew.
multiprocessing.set_forkserver_preload(["crossx.cli.training"])


def run_processes(world: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> list[T]:
    """Call `function(*args, **kwargs)` in every process of a group.

    Args:
        world: Number of processes.
        function: A module-level function; it finds its rank with `torch.distributed`.
        args: What pickle can carry.
        kwargs: The same.

    Returns:
        The results in rank order; they must be what `torch.load(weights_only=True)` reads.
    """
    with tempfile.TemporaryDirectory() as folder:
        call = (world, folder, os.environ.get(SEED), partial(function, *args, **kwargs))
        start_processes(_in_group, call, world, start_method="forkserver")  # type: ignore[no-untyped-call]
        return [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(world)]


def _in_group(rank: int, world: int, folder: str, seed: str | None, function: Callable[[], object]) -> None:
    # The server that forks has the environment of when it started; the run's seed may have been set since.
    os.environ.pop(SEED, None)
    if seed is not None:
        os.environ[SEED] = seed
    torch.set_num_threads(1)
    # What torchrun sets: a Trainer then takes the group as it finds it, and starts no processes of its own.
    os.environ |= {"TORCHELASTIC_RUN_ID": folder, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    os.environ |= {"GROUP_RANK": "0", "LOCAL_WORLD_SIZE": str(world)}
    # A file as meeting point: no port that another test could have taken.
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    try:
        torch.save(function(), Path(folder) / f"{rank}.pt")
        dist.barrier()
    finally:
        dist.destroy_process_group()
