"""What the command line decides before a run starts."""

import re
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import Namespace
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers.logger import DummyLogger
from support.commands import RECONSTRUCTION, config, edit, joint_config, part, run, write
from support.runs import Teachers

from crossx.cli import main
from crossx.cli.devices import wants_ddp
from crossx.cli.training import train
from crossx.reports.run.progress import ProgressBar as OurBar
from crossx.training.players_ddp import PlayersDDP


def asks_for_ddp(**settings: Any) -> bool:  # noqa: ANN401 - any setting of the trainer
    """Ask about a trainer on the CPU with these settings."""
    defaults = {"strategy": "auto", "accelerator": "cpu", "devices": 1, "num_nodes": 1}
    return wants_ddp(Namespace({**defaults, **settings}))  # type: ignore[no-untyped-call]  # jsonargparse's


@pytest.mark.parametrize("devices", [2, "2", [0, 1], "0,1"])
def test_several_devices_mean_ddp(devices: object) -> None:
    assert asks_for_ddp(devices=devices)


@pytest.mark.parametrize("devices", [1, "1", [0], "auto", -1, "-1"])
def test_one_device_means_none(devices: object) -> None:
    assert not asks_for_ddp(devices=devices)
    assert asks_for_ddp(devices=devices, num_nodes=2)
    assert asks_for_ddp(devices=devices, strategy="ddp")


def test_strategy_object_of_the_user_stays() -> None:
    assert not asks_for_ddp(devices=2, strategy=PlayersDDP())


@pytest.mark.parametrize("value", [True, 1])
def test_fast_dev_run_has_a_batch_for_each_phase(
    teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: bool | int
) -> None:
    monkeypatch.chdir(tmp_path)
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "model.schedule.warmup", 100)
    edit(content, "trainer.fast_dev_run", value)
    cli = run("fit", tmp_path / "config.yaml", content)
    assert cli.trainer.global_step == 2
    assert {"recon/loss", "encode/loss", "val/map_all"} <= set(cli.trainer.callback_metrics)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["config.yaml"]


def test_checkpoint_is_named_on_the_command_line_only(
    joint_run: Path, teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a config it would pass what is checked about a checkpoint."""
    content = joint_config(teachers, tmp_path / "runs")
    content["ckpt_path"] = str(joint_run / "checkpoints/last.ckpt")
    path = write(tmp_path / "config.yaml", content)
    assert main(["validate", "--config", path]) == 2
    assert "ckpt_path: must be given on the command line, and not in a config; got" in capsys.readouterr().err


def test_options_have_no_abbreviations(joint_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--ckpt", str(joint_run / "checkpoints/last.ckpt")]) == 2
    assert "'ckpt' is not an option" in capsys.readouterr().err


def test_verb_that_a_module_does_not_have(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "config.yaml", config(teachers, tmp_path / "runs", RECONSTRUCTION))
    assert main(["test", "--config", path]) == 2
    assert "test_step" in capsys.readouterr().err


class OwnBar(TQDMProgressBar):
    """A user's own."""


def test_progress_bar_of_the_user_replaces_ours(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "trainer.enable_progress_bar", True)
    edit(content, "trainer.fast_dev_run", True)
    bars = []
    for callbacks in (None, [{"class_path": f"{__name__}.OwnBar"}]):
        edit(content, "trainer.callbacks", callbacks)
        bars.append(type(run("fit", tmp_path / "config.yaml", content).trainer.progress_bar_callback))
    assert bars == [OurBar, OwnBar]


class PlainLogger(DummyLogger):
    """Keeps its runs apart by name and version, and knows no `log_dir`, as most loggers."""

    def __init__(self, save_dir: str, version: str) -> None:
        super().__init__()
        self._save_dir, self._version = save_dir, version

    @property
    def save_dir(self) -> str:
        return self._save_dir

    @property
    def name(self) -> str:
        return "project"

    @property
    def version(self) -> str:
        return self._version


def test_runs_of_any_logger_have_folders_of_their_own(teachers: Teachers, tmp_path: Path) -> None:
    for version in ("one", "two"):
        content = joint_config(teachers, tmp_path)
        content["trainer"]["logger"] = part(f"{__name__}.PlainLogger", save_dir=str(tmp_path / "runs"), version=version)
        run("fit", tmp_path / "config.yaml", content)
        folder = tmp_path / "runs/project" / version
        assert (folder / "results.json").is_file()
        assert (folder / "checkpoints/last.ckpt").is_file()
    assert not list((tmp_path / "runs").glob("*.*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trainer.devices", "two"], "trainer.devices: must be a number, a list of numbers, or auto; got 'two'"),
        (["--seed_everything", "-1"], "seed_everything: must be in [0, 4294967295], got -1"),
    ],
)
def test_numbers_that_are_none(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    config = write(tmp_path / "config.yaml", joint_config(teachers, tmp_path / "runs"))
    assert main(["fit", "--config", config, *words]) == 2
    assert f"crossx: error: {message}\n" in capsys.readouterr().err


def test_place_that_cannot_be_written_is_named(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    config = write(tmp_path / "config.yaml", joint_config(teachers, tmp_path / "file/runs"))
    assert main(["fit", "--config", config]) == 2
    assert re.search(rf"crossx: error: {re.escape(str(tmp_path))}/file/\S+: Not a directory\n", capsys.readouterr().err)


def test_help_of_a_class_as_the_readme_asks_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        train(["fit", "--model.help", "CoTrainingModule"])
    assert end.value.code == 0
    assert "--model.schedule" in capsys.readouterr().out
