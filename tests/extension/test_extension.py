"""A package outside crossx brings an objective, and everything works with it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from margin_objective import MarginEncoderModule
from support.commands import ENCODING, RECONSTRUCTION, Config, config, edit, joint_config, part, run, write
from support.runs import Teachers

from crossx.cotraining.module import CoTrainingModule

HERE = Path(__file__).parent
CLASS_PATH = "margin_objective.MarginEncoderModule"


def jointly(teachers: Teachers, folder: Path) -> Config:
    content = joint_config(teachers, folder)
    content["model"]["init_args"]["encoding"]["class_path"] = CLASS_PATH
    return content


def logged(folder: Path, name: str) -> list[float]:
    """Values of a column of the CSV log."""
    header, *rows = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    column = header.index(name)
    return [float(row[column]) for row in rows if row[column]]


def test_it_is_short() -> None:
    assert len((HERE / "margin_objective.py").read_text().splitlines()) <= 40


def test_trains_jointly(teachers: Teachers, tmp_path: Path) -> None:
    cli = run("fit", tmp_path / "config.yaml", jointly(teachers, tmp_path))
    assert isinstance(cli.model, CoTrainingModule)
    assert isinstance(cli.model.encoding, MarginEncoderModule)
    values = logged(tmp_path / "run/version_0", "encode/margin")
    assert values
    assert all(0 <= value <= MarginEncoderModule.margin + 2 for value in values)


def test_trains_stage_wise(teachers: Teachers, tmp_path: Path) -> None:
    first = config(teachers, tmp_path / "first", RECONSTRUCTION)
    run("fit", tmp_path / "first.yaml", first)
    generators = tmp_path / "first/run/version_0/generators.safetensors"
    second = config(teachers, tmp_path, {**ENCODING, "class_path": CLASS_PATH})
    edit(second, "model.pairs", part("SavedPairs", generators=str(generators)))
    cli = run("fit", tmp_path / "second.yaml", second)
    assert isinstance(cli.model, MarginEncoderModule)
    assert cli.trainer.global_step == 4
    assert logged(tmp_path / "run/version_0", "encode/margin")


def test_resumes(teachers: Teachers, tmp_path: Path) -> None:
    content = jointly(teachers, tmp_path)
    run("fit", tmp_path / "config.yaml", content)
    last = tmp_path / "run/version_0/checkpoints/last.ckpt"
    edit(content, "trainer.max_steps", 8)
    edit(content, "trainer.logger.version", 1)
    cli = run("fit", tmp_path / "longer.yaml", content, "--ckpt_path", str(last))
    assert cli.trainer.global_step == 8
    assert isinstance(cli.model, CoTrainingModule)
    assert isinstance(cli.model.encoding, MarginEncoderModule)


@pytest.mark.timeout(240)
def test_trains_and_resumes_in_two_processes_from_the_command_line(teachers: Teachers, tmp_path: Path) -> None:
    content = jointly(teachers, tmp_path)
    edit(content, "trainer.devices", 2)
    environment = {**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}

    def fit(name: str, *words: str) -> None:
        command = [sys.executable, "-m", "crossx", "fit", "--config", write(tmp_path / name, content), *words]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stderr[-2000:]

    fit("first.yaml")  # two epochs, with all callbacks that every run has
    folder = tmp_path / "run/version_0"
    results = json.loads((folder / "results.json").read_text())
    assert results["step"] == 4
    assert 0 < results["metrics"]["map_all"] <= 1
    assert len(list(tmp_path.rglob("results.json"))) == 1
    assert list((folder / "pairs").glob("*.png"))

    edit(content, "trainer.max_steps", 6)
    edit(content, "trainer.logger.version", 1)
    fit("longer.yaml", "--ckpt_path", str(folder / "checkpoints/last.ckpt"))
    checkpoint = torch.load(tmp_path / "run/version_1/checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 6
    assert not [name for name in checkpoint["state_dict"] if "teachers" in name]
