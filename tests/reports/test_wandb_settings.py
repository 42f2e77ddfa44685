"""W&B that is off, alone, or cannot be reached."""

import csv
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import wandb
from support.commands import joint_config, part, write
from support.runs import Teachers, data, joint, trainer
from support.wandb_records import WrittenRun, fit_with_wandb

from crossx.cli import main
from crossx.cli.training import train
from crossx.core.errors import InputError
from crossx.reports.run.report import RunReport
from crossx.reports.wandb import WandbDashboard

pytestmark = pytest.mark.usefixtures("offline_wandb")


def test_wandb_alone_leaves_everything_in_a_folder_of_its_own(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path)
    logger = {"save_dir": str(tmp_path / "runs"), "project": "p", "offline": True, "id": "first"}
    content["trainer"]["logger"] = part("lightning.pytorch.loggers.WandbLogger", **logger)
    train(["fit", "--config", write(tmp_path / "c.yaml", content), "--reports.wandb.artifacts", "false"])
    assert WrittenRun(tmp_path / "runs").artifacts == []
    left = {path.name for path in (tmp_path / "runs/p/first").iterdir()}
    expected = {"config.yaml", "metrics.csv", "results.json", "encoders.safetensors", "filmstrip.png", "checkpoints"}
    assert left == expected | {"pairs", "retrieval", "classes", "hardest"}
    with (tmp_path / "runs/p/first/metrics.csv").open(newline="") as file:
        assert {"recon/loss", "encode/loss", "val/map_all"} <= set(next(csv.reader(file)))


def test_disabled_leaves_nothing(teachers: Teachers, tmp_path: Path) -> None:
    fit_with_wandb(tmp_path, joint_config(teachers, tmp_path), "--trainer.logger.init_args.mode", "disabled")
    assert not list(tmp_path.rglob("*.wandb"))
    assert (tmp_path / "run/version_0/hardest").is_dir()


def test_off_by_default(joint_run: Path, teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not list(joint_run.parents[1].rglob("*wandb*"))
    monkeypatch.setitem(sys.modules, "wandb", None)  # an import would fail
    callbacks: list[Any] = [WandbDashboard(), RunReport()]
    quiet = trainer(tmp_path, 5, callbacks)
    quiet.fit(joint(teachers), datamodule=data(teachers, evaluated=True))
    assert quiet.global_step == 5


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (wandb.errors.CommError("timed out after 7 seconds\nand more"), "timed out after 7 seconds"),
        (wandb.errors.UsageError("No API key configured."), "No API key configured"),
    ],
)
def test_server_that_cannot_be_reached(
    teachers: Teachers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    reason: str,
) -> None:
    timeouts = []

    def init(**settings: object) -> None:
        assert settings["project"] == "crossx"
        timeouts.append(os.environ["WANDB_INIT_TIMEOUT"])
        raise error

    monkeypatch.setattr(wandb, "init", init)
    path = write(tmp_path / "c.yaml", joint_config(teachers, tmp_path))
    words = ["--config", path, "--config", "trainer/wandb.yaml", "--trainer.logger.init_args.save_dir", str(tmp_path)]
    assert main(["fit", *words, "--reports.wandb.init_timeout", "7"]) == 2
    message = capsys.readouterr().err.partition("crossx: error: ")[2].strip()
    assert message.startswith(f"trainer.logger: W&B did not start ({reason}); `wandb login`, or go offline with ")
    assert "\n" not in message
    assert timeouts == ["7"]
    assert "WANDB_INIT_TIMEOUT" not in os.environ
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["c.yaml"], "nothing has begun"


def test_number_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"^wandb\.init_timeout: must be at least 1, got 0$"):
        WandbDashboard(init_timeout=0)
