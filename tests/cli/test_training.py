"""What the command line decides before a run starts."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commands import RECONSTRUCTION, config, edit, joint_config, run, write
from runs import Teachers

from crossx.cli import main
from crossx.cli.training import CrossxCLI
from crossx.cotraining.limits import joint_ddp


def wants_ddp(**settings: Any) -> bool:  # noqa: ANN401 - any setting of the trainer
    """Ask the command line about a trainer on the CPU with these settings."""
    defaults = {"strategy": "auto", "accelerator": "cpu", "devices": 1, "num_nodes": 1}
    cli: Any = SimpleNamespace(arguments=SimpleNamespace(trainer=SimpleNamespace(**{**defaults, **settings})))
    return CrossxCLI._wants_ddp(cli)


@pytest.mark.parametrize("devices", [2, "2", [0, 1], "0,1"])
def test_several_devices_mean_ddp(devices: object) -> None:
    assert wants_ddp(devices=devices)


@pytest.mark.parametrize("devices", [1, "1", [0], "auto", -1, "-1"])
def test_one_device_means_none(devices: object) -> None:
    assert not wants_ddp(devices=devices)
    assert wants_ddp(devices=devices, num_nodes=2)
    assert wants_ddp(devices=devices, strategy="ddp")


def test_strategy_object_of_the_user_stays() -> None:
    assert not wants_ddp(devices=2, strategy=joint_ddp())


def test_joint_ddp_lets_phases_train_their_own_parameters_and_broadcasts_no_buffers() -> None:
    options = joint_ddp()._ddp_kwargs
    assert options.pop("find_unused_parameters") is True
    assert list(options.values()) == [False]
    assert "buffers" in next(iter(options))


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
    assert "is not legal in a config; give it on the command line, --ckpt_path" in capsys.readouterr().err


def test_options_have_no_abbreviations(joint_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--ckpt", str(joint_run / "checkpoints/last.ckpt")]) == 2
    assert "--ckpt" in capsys.readouterr().err


def test_verb_that_a_module_does_not_have(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "config.yaml", config(teachers, tmp_path / "runs", RECONSTRUCTION))
    assert main(["test", "--config", path]) == 2
    assert "test_step" in capsys.readouterr().err
