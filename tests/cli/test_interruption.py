"""Ctrl-C during a run: the last line says how far it has come, and its command goes on."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from support.commands import joint_config, write
from support.runs import Teachers

from crossx.cli import main

ROOT = Path(__file__).parents[2]
LAST = "run/version_0/checkpoints/last.ckpt"


class CtrlC(Callback):
    """Presses Ctrl-C after a step, or during a validation or a test."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: object) -> None:
        if trainer.global_step == self.step:
            raise KeyboardInterrupt

    def on_test_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: object) -> None:
        raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    """Lightning ignores further interruptions from the first one on."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The last line of a run that ends by Ctrl-C."""
    capsys.readouterr()
    assert main(words) == 130
    return capsys.readouterr().err.strip().splitlines()[-1]


def config(teachers: Teachers, folder: Path, step: int) -> str:
    content = joint_config(teachers, folder)
    content["trainer"]["callbacks"] = [{"class_path": f"{__name__}.CtrlC", "init_args": {"step": step}}]
    content["trainer"]["logger"]["init_args"].update(save_dir=".", version=None)
    return write(folder / "a config.yaml", content)


def test_a_fit_names_its_checkpoint_and_the_command_that_goes_on(
    teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = config(teachers, tmp_path, step=3)
    line = interrupted(capsys, "fit", "--config", path, "--trainer.max_steps=8")
    told = f"crossx: interrupted at step 3; {LAST} holds step 2, and this command goes on from it: "
    command = f"crossx fit --config '{path}' --trainer.max_steps=8 --ckpt_path {LAST}"
    assert line == told + command

    config(teachers, tmp_path, step=4)  # before the next checkpoint
    again = interrupted(capsys, *shlex.split(command)[1:])
    assert again == told.replace("step 3", "step 4") + command, "--ckpt_path is named once"

    config(teachers, tmp_path, step=99)
    assert main(shlex.split(command)[1:]) == 0
    assert "resumed at step 2 from" in capsys.readouterr().out
    assert torch.load(LAST, weights_only=True)["global_step"] == 8
    assert [run.name for run in Path("run").iterdir()] == ["version_0"]

    line = interrupted(capsys, "test", "--config", path, "--ckpt_path", LAST)
    assert line == "crossx: interrupted"


def test_a_fit_without_a_checkpoint_says_so(
    teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = config(teachers, tmp_path, step=1)
    assert interrupted(capsys, "fit", "--config", path) == (
        "crossx: interrupted at step 1; no checkpoint is written yet: the same command starts again, and "
        "--reports.run.checkpoint_every_n_steps writes one earlier"
    )
    config(teachers, tmp_path, step=2)
    line = interrupted(capsys, "fit", "--config", path, "--reports.run.checkpoint_every_n_steps=1")
    assert "interrupted at step 2; run/version_1/checkpoints/last.ckpt holds step 1, and" in line


def test_quickstart_leaves_the_last_line_to_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ctrl_c(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        signal.raise_signal(signal.SIGINT)  # of the terminal, to both
        return subprocess.CompletedProcess(command, 130)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(subprocess, "run", ctrl_c)
    assert main(["quickstart", "--output", str(tmp_path)]) == 130
    assert capsys.readouterr().err == ""
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_from_the_terminal(tmp_path: Path) -> None:
    words = ["fit", "--config", "quickstart.yaml", "--trainer.max_steps=5000", "--trainer.precision=32-true"]
    words += ["--data.batches_per_epoch=2", "--trainer.accelerator=cpu", "--data.batch_size=4"]
    words += ["--trainer.num_sanity_val_steps=0", "--trainer.limit_val_batches=0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "crossx", *words]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's job in the background ignores it
    ) as run:
        written = tmp_path / "runs/quickstart/version_0/checkpoints/last.ckpt"
        end = time.monotonic() + 240
        while not written.exists() and run.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        try:
            _, error = run.communicate(timeout=120)
        finally:
            run.kill()
    assert run.returncode == 130, error
    line = error.strip().splitlines()[-1]
    checkpoint = written.relative_to(tmp_path)
    assert line.startswith("crossx: interrupted at step "), error
    assert line.endswith(f"goes on from it: crossx {shlex.join(words)} --ckpt_path {checkpoint}")
    step = torch.load(written, weights_only=True)["global_step"]
    assert f"; {checkpoint} holds step {step}, and" in line
