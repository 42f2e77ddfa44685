"""Processes that a launcher (torchrun, Slurm, mpirun) has started, read from its environment variables.

Lightning believes a trainer that has one device: under a launcher that started two processes, both would then train
alone, and into one folder. Each function here is a pure function of the environment.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from crossx.core.errors import InputError

_OTHERS = {"OMPI_COMM_WORLD_SIZE": "mpirun", "PMI_SIZE": "mpiexec", "JSM_NAMESPACE_SIZE": "jsrun"}
_ELASTIC = "TORCHELASTIC_RUN_ID"
"""What torchrun alone sets."""
_ALL_OR_NONE = "torchrun sets RANK, LOCAL_RANK, MASTER_ADDR and MASTER_PORT; a run of its own has none of them"
_INTERACTIVE = ("bash", "interactive")
"""Job names for which Lightning takes a process of Slurm for one that was started by hand."""


@dataclass(frozen=True)
class Launch:
    """Processes of one run, as a launcher started them.

    Attributes:
        launcher: Name of the launcher.
        variable: Environment variable that holds their number.
        processes: Number of processes.
        per_node: Processes on this node; None where the launcher does not say.
        nodes: Number of nodes; None likewise.
    """

    launcher: str
    variable: str
    processes: int
    per_node: int | None = None
    nodes: int | None = None


def read_launch(environ: Mapping[str, str]) -> Launch | None:
    """Return the processes that the environment tells of; None for a process that no launcher has started.

    Args:
        environ: The environment variables.

    Raises:
        InputError: When the variables do not make one run, naming the variable and what to set.
    """
    # torchrun is often started by Slurm, and then its own numbers count.
    world = _number(environ, "WORLD_SIZE", 1)
    _check_rank(environ, world)
    if world > 1:
        return _torchrun(environ, world)
    if "SLURM_PROCID" in environ and (count := _number(environ, "SLURM_NTASKS", 1)) > 1:
        return _slurm(environ, count)
    for variable, launcher in _OTHERS.items():
        if (count := _number(environ, variable, 1)) > 1:
            raise InputError(
                f"{variable}: must be 1, because processes of {launcher} cannot join one run, got {count}; start "
                "crossx with torchrun, or with srun inside a Slurm job"
            )
    return _torchrun(environ, world) if _ELASTIC in environ else None


def check_processes(world_size: int, environ: Mapping[str, str]) -> None:
    """Refuse a trainer that would run alone beside others of its launch.

    Args:
        world_size: Processes that the trainer knows of.
        environ: The environment variables.

    Raises:
        InputError: When the launcher started more.
    """
    # Lightning's own launcher sets these three, and takes WORLD_SIZE away when a fit ends: a validation may follow.
    started_by_lightning = {"NODE_RANK", "LOCAL_RANK"} <= environ.keys() and not {"RANK", "WORLD_SIZE"} & environ.keys()
    if started_by_lightning and _number(environ, "LOCAL_RANK", 0) < world_size:
        return
    launch = read_launch(environ)
    if launch is not None and launch.processes != world_size:
        raise InputError(
            f"{launch.variable}: {launch.launcher} started {launch.processes} processes, and this trainer is set for "
            f"{world_size}; trainer.devices times trainer.num_nodes must be {launch.processes}, or unset "
            f"{launch.variable} for a run of its own"
        )


def _check_rank(environ: Mapping[str, str], world: int) -> None:
    """Refuse the number of a process that is alone: Lightning would print and write nothing in it."""
    if _ELASTIC in environ or "SLURM_PROCID" in environ:
        return
    for name in ("RANK", "LOCAL_RANK"):
        if (number := _number(environ, name, 0)) >= world:
            given = environ.get("WORLD_SIZE") or "nothing"
            raise InputError(f"WORLD_SIZE: must be above {name}={number}, got {given}; {_ALL_OR_NONE}")


def _torchrun(environ: Mapping[str, str], count: int) -> Launch:
    if _ELASTIC not in environ:  # set by hand, by another launcher, or by Lightning, whose processes have no RANK
        companions = ("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
        needed = companions if "RANK" in environ else () if "LOCAL_RANK" in environ else ("RANK",)
        beside = "RANK and " if "RANK" in environ else ""
        for name in needed:
            if name not in environ:
                raise InputError(f"{name}: must be set beside {beside}WORLD_SIZE={count}, got nothing; {_ALL_OR_NONE}")
    per_node = _number(environ, "LOCAL_WORLD_SIZE", 0) or None
    return Launch("torchrun", "WORLD_SIZE", count, per_node, _number(environ, "GROUP_WORLD_SIZE", 0) or None)


def _slurm(environ: Mapping[str, str], count: int) -> Launch:
    alone = "set SLURM_NTASKS=1 for a run of one process"
    if _ELASTIC in environ:
        raise InputError(
            f"WORLD_SIZE: must be above 1 where Slurm starts torchrun in SLURM_NTASKS={count} tasks, got 1; give "
            f"torchrun --nnodes, --nproc-per-node and --rdzv-endpoint, or {alone}"
        )
    name = environ.get("SLURM_JOB_NAME")
    if name in _INTERACTIVE:
        raise InputError(
            f"SLURM_JOB_NAME: must be another name than {name} for a run of SLURM_NTASKS={count} processes, because "
            f"Lightning takes such a job for a single process; set SLURM_JOB_NAME=crossx, or {alone}"
        )
    if "SLURM_STEP_ID" not in environ:
        raise InputError(
            f"SLURM_NTASKS: the job has {count} tasks, and this process was not started by srun, so that the others "
            f"would be missing; start `srun crossx ...` in a job with --ntasks-per-node, or {alone}"
        )
    if "SLURM_NTASKS_PER_NODE" not in environ:
        raise InputError(
            f"SLURM_NTASKS_PER_NODE: must be set beside SLURM_NTASKS={count}, got nothing; ask Slurm for "
            f"--ntasks-per-node in place of --ntasks, or {alone}"
        )
    return Launch(
        "Slurm",
        "SLURM_NTASKS",
        count,
        _number(environ, "SLURM_NTASKS_PER_NODE", 1),
        _number(environ, "SLURM_NNODES", 0) or None,
    )


def _number(environ: Mapping[str, str], variable: str, default: int) -> int:
    text = environ.get(variable) or str(default)
    if not text.isdecimal():
        raise InputError(f"{variable}: must be a whole number, got {text!r}")
    return int(text)
