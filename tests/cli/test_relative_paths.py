"""Checkpoints of a run whose config names relative paths, used from another folder."""

import json
import re
from pathlib import Path

import pytest
from support.commands import folder_dataset, joint_config, part, write
from support.runs import Teachers, save_teachers

from crossx.cli import main
from crossx.cotraining.module import CoTrainingModule


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with teachers and data, and with a run that names both by relative paths."""
    folder = tmp_path_factory.mktemp("project")
    save_teachers(folder)
    content = joint_config(Teachers("photo.safetensors", "sketch.safetensors"), Path("runs"))
    dataset = json.loads(json.dumps(folder_dataset(folder)).replace(f"{folder}/", ""))
    content["data"] = part("SyntheticPairsDataModule", dataset=dataset, batch_size=8, batches_per_epoch=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["fit", "--config", write(folder / "config.yaml", content)]) == 0
    return folder


def checkpoint(folder: Path, version: int = 0) -> Path:
    return folder / f"runs/run/version_{version}/checkpoints/last.ckpt"


def metrics(path: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads(path.read_text())["metrics"]
    return found


def test_is_measured_from_another_folder(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["validate", "--ckpt_path", str(checkpoint(project)), "--trainer.accelerator", "cpu"]) == 0
    run = checkpoint(project).parent.parent
    assert metrics(run / "validate/version_0/results.json") == metrics(run / "results.json")
    assert not list(tmp_path.iterdir())
    module = CoTrainingModule.load_from_checkpoint(checkpoint(project))
    assert module.teachers.photo.card.modality == "photo"


def test_is_resumed_and_then_measured_from_a_third_folder(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, third = tmp_path / "second", tmp_path / "third"
    for folder, words in (
        (second, ["fit", "--config", str(project / "config.yaml"), "--trainer.max_steps", "6"]),
        (third, ["test", "--trainer.accelerator", "cpu"]),
    ):
        folder.mkdir()
        monkeypatch.chdir(folder)
        assert main([*words, "--ckpt_path", str(checkpoint(project if folder == second else second))]) == 0


def test_moved_project_is_one_line_with_all_places(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = project.rename(project.with_name("moved"))
    try:
        monkeypatch.chdir(tmp_path)
        assert main(["test", "--ckpt_path", str(checkpoint(moved)), "--trainer.accelerator", "cpu"]) == 2
    finally:
        moved.rename(project)
    line = r"crossx: error: teachers\.photo: 'photo\.safetensors' does not exist \(tried photo\.safetensors, .*"
    assert re.search(line + re.escape(f"{project}/photo.safetensors"), capsys.readouterr().err)
