"""The other two ways to train, from the command line: in two stages, and with data."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import ENCODING, RECONSTRUCTION, config, edit, joint_config, part, run, write
from support.runs import MODALITIES, SIZE, Teachers

from crossx.cli import main
from crossx.core.tensor_files import read_safetensors
from crossx.cotraining.module import CoTrainingModule
from crossx.data.shapes.dataset import ShapesDataset
from crossx.encoding.module import EncoderModule
from crossx.reconstruction.module import ReconstructionModule
from crossx.reconstruction.saved import SavedPairs


def results(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def first_stage(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of a reconstruction."""
    folder = tmp_path_factory.mktemp("first_stage")
    cli = run("fit", folder / "config.yaml", config(teachers, folder, RECONSTRUCTION))
    assert isinstance(cli.model, ReconstructionModule)
    saved = read_safetensors(folder / "run/version_0/generators.safetensors", "generators")[0]
    trained = cli.model.generators.state_dict()
    assert saved.keys() == trained.keys()
    assert all(torch.equal(saved[name], trained[name]) for name in saved)
    return folder / "run/version_0"


@pytest.fixture(scope="module")
def with_data(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of encoders that learn from real images."""
    folder = tmp_path_factory.mktemp("with_data")
    content = config(teachers, folder, ENCODING)
    edit(content, "model.pairs", part("RealPairs"))
    cli = run("fit", folder / "config.yaml", content)
    assert isinstance(cli.model, EncoderModule)
    return folder / "run/version_0"


def test_first_stage_reports_what_it_logs(first_stage: Path) -> None:
    found = results(first_stage)
    assert {"recon/loss", "recon/agreement", "recon/class_entropy"} <= set(found["metrics"])
    assert (found["step"], found["baselines"], found["at_start"]) == (4, {}, {})
    assert set(found["teachers"]) == set(MODALITIES)
    assert len(list((first_stage / "pairs").glob("*.png"))) == 2
    assert not (first_stage / "retrieval").exists(), "nothing to retrieve with"


@pytest.mark.parametrize("replayed", [False, True])
def test_second_stage_learns_from_the_saved_generators(
    first_stage: Path, with_data: Path, teachers: Teachers, tmp_path: Path, replayed: bool
) -> None:
    saved = part("SavedPairs", generators=str(first_stage / "generators.safetensors"))
    content = config(teachers, tmp_path, ENCODING)
    edit(content, "model.pairs", saved)
    if replayed:
        edit(content, "model.replay", part("Replay", size=40))
    cli = run("fit", tmp_path / "config.yaml", content)
    assert isinstance(cli.model, EncoderModule)
    source = cli.model.pair_source
    source = getattr(source, "source", source)
    assert isinstance(source, SavedPairs)
    stored = read_safetensors(first_stage / "generators.safetensors", "generators")[0]
    assert all(torch.equal(tensor, stored[name]) for name, tensor in source.generators.state_dict().items())
    folder = tmp_path / "run/version_0"
    found, comparison = results(folder), results(with_data)
    assert (found["split"], found["step"]) == ("validation", 4)
    assert found["metrics"] != found["at_start"]
    assert found["baselines"] == comparison["baselines"]
    assert found["split_hash"] == comparison["split_hash"]
    assert list((folder / "pairs").glob("*.png"))
    assert list((folder / "retrieval").glob("*.png"))
    checkpoint = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    assert not [name for name in checkpoint["state_dict"] if "generator" in name or "teacher" in name]


def test_a_joint_run_starts_from_the_saved_generators(first_stage: Path, teachers: Teachers, tmp_path: Path) -> None:
    """They stay as they are without a warm-up, and its checkpoint is measured like any other."""
    content = joint_config(teachers, tmp_path)
    start = f"--model.reconstruction.init_args.start={first_stage / 'generators.safetensors'}"
    words = [start, "--model.schedule.warmup=0", "--model.schedule.generator_steps=0"]
    cli = run("fit", tmp_path / "config.yaml", content, *words)
    assert isinstance(cli.model, CoTrainingModule)
    stored = read_safetensors(first_stage / "generators.safetensors", "generators")[0]
    trained = cli.model.reconstruction.generators.state_dict()
    assert all(torch.equal(tensor, trained[name]) for name, tensor in stored.items())
    found = results(tmp_path / "run/version_0")
    assert found["metrics"] != found["at_start"]
    words = ["--ckpt_path", str(tmp_path / "run/version_0/checkpoints/last.ckpt"), "--trainer.accelerator", "cpu"]
    run("validate", tmp_path / "empty.yaml", {}, *words)
    assert results(tmp_path / "run/version_0/validate/version_0")["metrics"] == found["metrics"]


def test_generators_of_another_kind_are_no_start(
    first_stage: Path, teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = joint_config(teachers, tmp_path)
    edit(content, "model.reconstruction.generator.width", 16)
    file = first_stage / "generators.safetensors"
    start = f"--model.reconstruction.init_args.start={file}"
    assert main(["fit", "--config", write(tmp_path / "config.yaml", content), start]) == 2
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("crossx: error: ")]
    assert said == (
        "crossx: error: model.reconstruction.start: must hold generators as the config states them, got a photo "
        f"generator with width 8 (stated: 16) in {file}"
    )


def test_with_data_reports_as_the_others_do(with_data: Path) -> None:
    found = results(with_data)
    assert (found["split"], found["step"]) == ("validation", 4)
    assert set(found["baselines"]) == {"features", "posterior"}
    assert found["metrics"] != found["at_start"]
    assert found["config"]["model"]["init_args"]["pairs"]["class_path"].endswith("RealPairs")


def test_with_data_is_measured_from_its_checkpoint_alone(
    with_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--ckpt_path", str(with_data / "checkpoints/last.ckpt"), "--trainer.accelerator", "cpu"]
    run("validate", tmp_path / "empty.yaml", {}, *words)
    found = results(with_data / "validate/version_0")
    assert found["metrics"] == results(with_data)["metrics"]
    assert found["split_hash"] == ShapesDataset(size=SIZE, train=2, validation=2, test=2).split_hash
