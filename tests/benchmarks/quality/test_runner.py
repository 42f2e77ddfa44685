"""Processes of the benchmark end with it, finished jobs are kept, and two commands do not write to one folder."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.commands import part, write

from benchmarks.quality.plan import output_overrides
from benchmarks.quality.runner import Runner, locked
from crossx.core.errors import InputError

_SLEEPER = "import os, sys, time; print(os.getpid(), os.environ['OMP_NUM_THREADS'], flush=True); time.sleep(60)"


@pytest.fixture
def sleepers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that print their process's number and then do nothing, in place of crossx."""
    start = subprocess.Popen

    def popen(command: list[str], **options: object) -> "subprocess.Popen[bytes]":
        assert command[1:] == ["-m", "benchmarks.quality.child", str(os.getpid()), "fit"]
        return start([sys.executable, "-c", _SLEEPER], **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(subprocess, "Popen", popen)


def started(log: Path, seconds: int = 10) -> list[str]:
    for _ in range(seconds * 20):
        if log.is_file() and (words := log.read_text().split()):
            return words
        time.sleep(0.05)
    raise AssertionError("nothing was started")


def photo_log(folder: Path) -> Path | None:
    time.sleep(0.05)
    return next((folder / "runs" / "cifar-tuberlin").glob("photo-0-*.log"), None)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_ends_with_its_status(tmp_path: Path) -> None:
    with locked(tmp_path) as runner:
        assert runner.crossx(["fit", "--config", "nothing.yaml"], tmp_path / "log") == 2
    assert "crossx: error: " in (tmp_path / "log").read_text()


def test_a_run_on_two_devices(tmp_path: Path) -> None:
    """Lightning starts the second process from the first one, with the command of that."""
    content = {
        "model": part("ClassifierModule", output="out.safetensors", input_size=32, arguments={"widths": [8, 8]}),
        "data": part(
            "LabelledImagesDataModule",
            dataset=part("ShapesDataset", size=32, train=2, validation=2, test=2),
            modality="photo",
            batch_size=8,
        ),
        "trainer": {"accelerator": "cpu", "devices": 2, "max_steps": 2, "max_epochs": -1},
    }
    words = ["fit", "--config", write(tmp_path / "teacher.yaml", content), *output_overrides(tmp_path / "run")]
    with locked(tmp_path) as runner:
        assert runner.crossx([*words, "--model.output", str(tmp_path / "photo.safetensors")], tmp_path / "log") == 0
    assert "All distributed processes registered. Starting with 2 processes" in (tmp_path / "log").read_text()
    assert (tmp_path / "photo.safetensors").is_file()


@pytest.mark.usefixtures("sleepers")
def test_what_runs_is_ended_and_gives_no_status(tmp_path: Path) -> None:
    ended: list[str] = []

    def run(runner: Runner) -> None:
        try:
            runner.crossx(["fit"], tmp_path / "log")
        except KeyboardInterrupt:
            ended.append("interrupted")

    with locked(tmp_path) as runner:
        thread = threading.Thread(target=run, args=[runner])
        thread.start()
        number, threads = started(tmp_path / "log")
        assert threads == os.environ.get("OMP_NUM_THREADS", "1")
    thread.join(10)
    assert ended == ["interrupted"]
    assert not is_alive(int(number))
    with pytest.raises(KeyboardInterrupt):
        runner.crossx(["fit"], tmp_path / "log")


def test_two_commands_do_not_share_a_folder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match="--output: another command writes to"), locked(tmp_path):
        raise AssertionError("both hold the folder")
    with locked(tmp_path):
        pass  # free again


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells a process that its parent was killed")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_a_command_that_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    """A real command with a teacher's real fit, which prints its steps until it is killed."""
    command = [sys.executable, "-m", "benchmarks.quality", "--benchmark", "cifar-tuberlin"]
    command += ["--rows", "classifier_only", "--seeds", "0"]  # one config to read before the first teacher
    with subprocess.Popen(
        [*command, "--output", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as parent:
        try:
            log = next(found for _ in range(2400) if (found := photo_log(tmp_path)) is not None)
            started(log, seconds=60)
            tasks = Path(f"/proc/{parent.pid}/task").iterdir()
            children = [child for task in tasks for child in (task / "children").read_text().split()]
            assert children
            parent.send_signal(how)
            assert parent.wait(30) == (130 if how == signal.SIGTERM else -signal.SIGKILL)
        finally:
            parent.kill()  # where something of this failed; or it would be waited for
    for _ in range(100):
        if not any(is_alive(int(child)) for child in children):
            break
        time.sleep(0.1)
    assert not any(is_alive(int(child)) for child in children)
    assert not list(tmp_path.rglob("done.json"))  # nothing counts as done, and the next command runs it anew
    with locked(tmp_path):
        pass
