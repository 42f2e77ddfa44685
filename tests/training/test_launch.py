"""What the variables of a launcher mean, and which of them make no run."""

import pytest

from crossx.core.errors import InputError
from crossx.training.launch import Launch, check_processes, read_launch

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "RANK": "1",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "GROUP_WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
}
SLURM = {
    "SLURM_JOB_ID": "1",
    "SLURM_JOB_NAME": "train",
    "SLURM_STEP_ID": "0",
    "SLURM_NTASKS": "4",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_NNODES": "2",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "0",
}


def without(variables: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in names}


BY_HAND = without(TORCHRUN, "TORCHELASTIC_RUN_ID", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WORLD_SIZE": "1"},
        {"RANK": "0", "LOCAL_RANK": "0"},
        {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"},
        {"SLURM_NTASKS": "8", "SLURM_JOB_NAME": "interactive"},  # a shell of salloc
        {"OMPI_COMM_WORLD_SIZE": "1"},
    ],
)
def test_a_process_on_its_own(environ: dict[str, str]) -> None:
    assert read_launch(environ) is None
    check_processes(1, environ)
    check_processes(2, environ)  # Lightning starts the second one


def test_second_run_of_processes_that_lightning_started() -> None:
    """Lightning takes WORLD_SIZE away when a fit ends, and the last weights are then validated."""
    check_processes(2, {"LOCAL_RANK": "1", "NODE_RANK": "0"})
    with pytest.raises(InputError, match=r"^WORLD_SIZE: must be above LOCAL_RANK=1, got nothing"):
        check_processes(1, {"LOCAL_RANK": "1", "NODE_RANK": "0"})


@pytest.mark.parametrize(
    ("environ", "launch"),
    [
        (TORCHRUN, Launch("torchrun", "WORLD_SIZE", 4, 2, 2)),
        ({**TORCHRUN, **SLURM, "SLURM_NTASKS": "2"}, Launch("torchrun", "WORLD_SIZE", 4, 2, 2)),  # started by srun
        ({**TORCHRUN, "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}, Launch("torchrun", "WORLD_SIZE", 1, 1, 2)),
        (BY_HAND, Launch("torchrun", "WORLD_SIZE", 4)),
        ({"WORLD_SIZE": "2", "LOCAL_RANK": "1", "NODE_RANK": "0"}, Launch("torchrun", "WORLD_SIZE", 2)),  # of Lightning
        (SLURM, Launch("Slurm", "SLURM_NTASKS", 4, 2, 2)),
    ],
)  # fmt: skip
def test_processes_of_a_launcher(environ: dict[str, str], launch: Launch) -> None:
    assert read_launch(environ) == launch
    check_processes(launch.processes, environ)
    with pytest.raises(InputError, match=rf"^{launch.variable}: {launch.launcher} started {launch.processes}"):
        check_processes(launch.processes + 1, environ)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (without(BY_HAND, "LOCAL_RANK"), "LOCAL_RANK: must be set beside RANK and WORLD_SIZE=4"),
        (without(BY_HAND, "MASTER_PORT"), "MASTER_PORT: must be set beside RANK and WORLD_SIZE=4"),
        (without(BY_HAND, "RANK", "LOCAL_RANK"), "RANK: must be set beside WORLD_SIZE=4, got nothing; torchrun sets"),
        ({"WORLD_SIZE": "4"}, "RANK: must be set beside WORLD_SIZE=4, got nothing; torchrun sets"),
        (without(BY_HAND, "WORLD_SIZE"), "WORLD_SIZE: must be above RANK=1, got nothing; torchrun sets"),
        ({"LOCAL_RANK": "2"}, "WORLD_SIZE: must be above LOCAL_RANK=2, got nothing; torchrun sets"),
        ({**BY_HAND, "RANK": "4"}, "WORLD_SIZE: must be above RANK=4, got 4; torchrun sets"),
        ({**TORCHRUN, "WORLD_SIZE": "four"}, "WORLD_SIZE: must be a whole number, got 'four'"),
        (without(SLURM, "SLURM_STEP_ID"), "SLURM_NTASKS: the job has 4 tasks, .*; start `srun crossx"),
        (without(SLURM, "SLURM_NTASKS_PER_NODE"), "SLURM_NTASKS_PER_NODE: must be set beside SLURM_NTASKS=4.*; ask"),
        ({**SLURM, "SLURM_JOB_NAME": "bash"}, "SLURM_JOB_NAME: must be another name than bash .*; set SLURM_JOB_NAME="),
        ({**SLURM, "SLURM_NTASKS": "2(x2)"}, r"SLURM_NTASKS: must be a whole number, got '2\(x2\)'"),
        ({**SLURM, **TORCHRUN, "WORLD_SIZE": "1"}, "WORLD_SIZE: must be above 1 where Slurm starts torchrun"),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, "OMPI_COMM_WORLD_SIZE: must be 1, .* mpirun .*, got 2; start crossx"),
        ({"PMI_SIZE": "2"}, "PMI_SIZE: must be 1, .* mpiexec .*, got 2; start crossx"),
    ],
)  # fmt: skip
def test_what_makes_no_run_names_the_variable_and_what_to_do(environ: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}") as caught:
        read_launch(environ)
    assert "\n" not in str(caught.value)
