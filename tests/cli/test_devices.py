"""Devices and processes under torchrun, Slurm and one GPU a task."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonargparse import Namespace
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from support.commands import Config, config, edit, joint_config, part, write
from support.processes import run_processes
from support.runs import Teachers, data, joint, trainer

from crossx.cli import main
from crossx.cli.devices import process_arguments, processes_of
from crossx.cli.training import train
from crossx.core.errors import InputError

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
BY_HAND = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
SLURM = {
    "SLURM_NTASKS": "2",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
}
ONE_TASK = {"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "train"}
SALLOC = {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train"}


def settings(**given: Any) -> Namespace:  # noqa: ANN401 - any setting of the trainer
    defaults = {"strategy": "auto", "accelerator": "auto", "devices": "auto", "num_nodes": 1}
    return Namespace({**defaults, **given})  # type: ignore[no-untyped-call]  # jsonargparse's


@pytest.mark.parametrize("environ", [TORCHRUN, BY_HAND, SLURM])
@pytest.mark.parametrize("gpus", [None, 2, 4])
@pytest.mark.parametrize(("devices", "used"), [("auto", 2), (-1, 2), ("-1", 2), (2, 2), ("2", "2"), ([0, 1], [0, 1])])
def test_devices_are_the_processes_that_a_launcher_started(
    environ: dict[str, str], gpus: int | None, devices: object, used: object
) -> None:
    assert processes_of(settings(devices=devices), environ, gpus).devices == used


def test_without_a_launcher_the_devices_stay() -> None:
    for devices in ("auto", 1, 2, "0,1"):
        assert processes_of(settings(devices=devices), {}, 2).devices == devices


@pytest.mark.parametrize(
    ("environ", "given", "gpus", "message"),
    [
        (TORCHRUN, {"devices": 1}, None, r"trainer\.devices: must be 2 .* torchrun started \(WORLD_SIZE=2\), got 1"),
        (BY_HAND, {"devices": 1}, None, r"trainer\.devices: must be 2 .* torchrun started \(WORLD_SIZE=2\), got 1"),
        (SLURM, {"devices": 1}, 8, r"trainer\.devices: must be 2 or auto, .* Slurm started \(SLURM_NTASKS=2\), got 1"),
        (SLURM, {"devices": [0]}, 8, r"trainer\.devices: must be 2 or auto, .*, got \[0\]"),
        ({**SLURM, "SLURM_NNODES": "2"}, {}, None, r"trainer\.num_nodes: must be 2, .* Slurm .*, got 1"),
        ({**TORCHRUN, "GROUP_WORLD_SIZE": "2"}, {}, None, r"trainer\.num_nodes: must be 2, .* torchrun .*, got 1"),
        ({**SLURM, "SLURM_NTASKS": "3"}, {}, None, r"SLURM_NTASKS: must be the processes .*, 2 x 1, got 3"),
        (BY_HAND, {"num_nodes": 3}, None, r"WORLD_SIZE: must be the processes .*, 0 x 3, got 2"),
        (SLURM, {}, 1, r"CUDA_VISIBLE_DEVICES: each of the 2 processes .* sees 1; ask for --gpus-per-node in place of"),
        ({**TORCHRUN, "CUDA_VISIBLE_DEVICES": "3"}, {}, 1, r"CUDA_VISIBLE_DEVICES: .* sees 1 \(.*=3\); unset"),
        ({"CUDA_VISIBLE_DEVICES": "3"}, {"devices": 2}, 1, r"trainer\.devices: must be at most 1, .*=3\), got 2"),
        ({}, {"devices": "a,b"}, None, r"trainer\.devices: must be a number, a list of numbers, or auto; got 'a,b'"),
    ],
)  # fmt: skip
def test_what_makes_no_run_is_one_line(
    environ: dict[str, str], given: dict[str, Any], gpus: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=f"^{message}") as caught:
        processes_of(settings(**given), environ, gpus)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "devices", "kind"),
    [
        ({}, 2, None),
        (TORCHRUN, 2, None),
        (SLURM, 2, None),
        (BY_HAND, 2, TorchElasticEnvironment),
        (ONE_TASK, 1, None),
        (ONE_TASK, 2, LightningEnvironment),
        ({**ONE_TASK, "WORLD_SIZE": "2", "LOCAL_RANK": "1"}, 2, LightningEnvironment),  # the second process of it
        (SALLOC, 1, LightningEnvironment),
    ],
)
def test_environment_where_lightning_would_be_misled(environ: dict[str, str], devices: int, kind: type | None) -> None:
    environment = processes_of(settings(devices=devices), environ, None).environment
    assert environment is None if kind is None else isinstance(environment, kind)


def test_plugins_of_the_user_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SALLOC.items():
        monkeypatch.setenv(name, value)
    own = object()
    arguments = process_arguments(settings(accelerator="cpu"), own, joint=True)
    assert isinstance(arguments["plugins"][0], LightningEnvironment)
    assert arguments["plugins"][1:] == [own]
    assert "strategy" not in arguments


def with_data(teachers: Teachers, folder: Path) -> Config:
    content = joint_config(teachers, folder)
    encoding = content["model"]["init_args"]["encoding"]
    return config(teachers, folder, {**encoding, "init_args": {**encoding["init_args"], "pairs": part("RealPairs")}})


def both_fit(path: str) -> dict[str, torch.Tensor]:
    """A fit in a process of a group, of which torchrun's variables tell."""
    run = train(["fit", "--config", path]).trainer
    return {"world": torch.tensor(run.world_size), "steps": torch.tensor(run.global_step)}


@pytest.mark.parametrize("make", [joint_config, with_data])
def test_two_processes_are_one_run(teachers: Teachers, tmp_path: Path, make: Any) -> None:  # noqa: ANN401 - a function
    content = make(teachers, tmp_path)
    edit(content, "trainer.logger.version", None)
    for found in run_processes(2, both_fit, write(tmp_path / "config.yaml", content)):
        assert found == {"world": torch.tensor(2), "steps": torch.tensor(4)}
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["version_0"]


@pytest.mark.parametrize(
    ("environ", "ranks"), [(BY_HAND, ("RANK", "LOCAL_RANK")), (SLURM, ("SLURM_PROCID", "SLURM_LOCALID"))]
)
def test_two_processes_that_a_shell_started_are_one_run(
    teachers: Teachers, tmp_path: Path, environ: dict[str, str], ranks: tuple[str, str]
) -> None:
    """From the very start, with nothing but the variables."""
    path = write(tmp_path / "config.yaml", joint_config(teachers, tmp_path))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "crossx", "fit", "--config", path],
            env={**os.environ, **environ, **meeting, **dict.fromkeys(ranks, rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in ("0", "1")
    ]
    outputs = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], outputs
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["version_0"]


@pytest.mark.parametrize("devices", [[], ["--trainer.devices", "1"], ["--trainer.devices", "2"]])
@pytest.mark.parametrize("verb", ["fit", "test"])
def test_a_slurm_job_without_srun_is_refused_in_one_line(
    teachers: Teachers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    devices: list[str],
    verb: str,
) -> None:
    for name in ("SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"):
        monkeypatch.setenv(name, SLURM[name])
    path = write(tmp_path / "config.yaml", joint_config(teachers, tmp_path))
    assert main([verb, "--config", path, *devices]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Seed")]
    assert len(lines) == 1, lines
    assert lines[0].startswith("crossx: error: SLURM_NTASKS: the job has 2 tasks")
    assert not (tmp_path / "run").exists()


def test_a_trainer_of_python_does_not_run_alone_either(
    teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(tmp_path)
    for name, value in BY_HAND.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"^WORLD_SIZE: torchrun started 2 processes, and this trainer is set for 1"):
        run.fit(joint(teachers), datamodule=data(teachers))


def test_one_task_of_slurm_runs(teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for environ in (ONE_TASK, SALLOC):
        with monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            content = joint_config(teachers, tmp_path / str(len(environ)))
            assert main(["fit", "--config", write(tmp_path / "config.yaml", content), "--trainer.max_steps", "1"]) == 0
