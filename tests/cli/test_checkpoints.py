"""Content of a checkpoint, what it may decide, and what it may not do.

Over 300 lines, because all cases start from one trained run.
"""

import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from support.commands import joint_config, write
from support.runs import Teachers
from torch import Tensor

from crossx.cli import main
from crossx.cli.checkpoints import checkpoint_config, find_checkpoint
from crossx.cli.training import train
from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule


def last(folder: Path) -> Path:
    return folder / "checkpoints/last.ckpt"


def results(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return loaded


def newest(folder: Path) -> Path:
    """Folder of the last run among those of one logger."""
    return max(folder.glob("version_*"), key=lambda path: int(path.name.removeprefix("version_")))


def is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(part) for key, part in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str | Tensor)


def test_holds_tensors_and_plain_values_of_the_last_step(joint_run: Path) -> None:
    checkpoint = torch.load(last(joint_run), weights_only=True)
    assert is_plain(checkpoint)
    assert checkpoint["global_step"] == 4
    assert not [name for name in checkpoint["state_dict"] if "teacher" in name]


@pytest.mark.parametrize(("verb", "split"), [("validate", "validation"), ("test", "test")])
def test_is_measured_without_a_config(
    joint_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, split: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([verb, "--ckpt_path", str(last(joint_run)), "--trainer.accelerator", "cpu"]) == 0
    found = results(newest(joint_run / verb))
    assert not list(tmp_path.iterdir()), "it writes beside the run"
    assert found["split"] == split
    assert set(found["baselines"]) == {"features", "posterior"}
    fitted = results(joint_run)
    if verb == "validate":
        assert found["metrics"] == fitted["metrics"]
        assert found["baselines"] == fitted["baselines"]


def test_order_is_checkpoint_then_config_then_command_line(
    joint_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write(tmp_path / "c.yaml", {"data": {"init_args": {"batches_per_epoch": 7, "eval_batch_size": 9}}})
    words = ["fit", "--config", config, "--ckpt_path", str(last(joint_run)), "--data.eval_batch_size", "11"]
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        train([*words, "--print_config"])
    assert end.value.code == 0
    resolved = yaml.safe_load(capsys.readouterr().out)
    assert resolved["model"]["class_path"] == "crossx.CoTrainingModule"
    data = resolved["data"]["init_args"]
    assert (data["batch_size"], data["batches_per_epoch"], data["eval_batch_size"]) == (8, 7, 11)


def test_module_is_rebuilt_from_it_alone(joint_run: Path) -> None:
    module = CoTrainingModule.load_from_checkpoint(last(joint_run), map_location="cpu")
    stored = torch.load(last(joint_run), weights_only=True)["state_dict"]
    assert module.state_dict().keys() == stored.keys()
    assert all(torch.equal(tensor, stored[name]) for name, tensor in module.state_dict().items())
    assert module.schedule.warmup == 1
    assert module.encode(torch.rand(2, 3, 16, 16), "sketch").shape == (2, 4)


def test_resumes_with_the_checkpoint_s_own_config(
    joint_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trainer = ["--trainer.accelerator=cpu", "--trainer.max_steps=6", "--trainer.max_epochs=-1"]
    cli = train(["fit", "--ckpt_path", str(last(joint_run)), *trainer])
    assert cli.trainer.global_step == 6
    found = results(newest(tmp_path / "runs/unnamed"))
    assert found["step"] == 6
    assert found["at_start"] == results(joint_run)["at_start"]
    assert found["seconds"] > 0


class Bomb:
    """A pickle that runs a command when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., int], tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("verb", ["fit", "validate"])
def test_evil_pickle_is_refused_and_not_executed(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    bomb = Bomb(tmp_path / "executed")
    torch.save({"state_dict": {}, "x": bomb}, tmp_path / "evil.ckpt")
    pickle.loads(pickle.dumps(bomb))
    assert bomb.path.exists(), "the bomb is real"
    bomb.path.unlink()
    config = write(tmp_path / "c.yaml", joint_config(teachers, tmp_path / "runs"))
    assert main([verb, "--config", config, "--ckpt_path", str(tmp_path / "evil.ckpt")]) == 2
    assert not bomb.path.exists()
    assert not (tmp_path / "runs").exists()
    assert "evil.ckpt: not read, because it holds an object of 'posix.system'" in capsys.readouterr().err


def evil_class(config: dict[str, Any]) -> None:
    config["model"]["class_path"] = "evil.Evil"


def evil_part(config: dict[str, Any]) -> None:
    config["model"]["init_args"]["encoding"]["init_args"]["encoder"] = {"class_path": "evil.Evil"}


def evil_function(config: dict[str, Any]) -> None:
    config["model"]["init_args"]["encoding"]["init_args"]["optimizer"] = "evil.explode"


def evil_text(config: dict[str, Any]) -> None:
    """jsonargparse reads a text as YAML where it expects an object."""
    config["model"] = json.dumps({"class_path": "evil.Evil"})


def evil_file(config: dict[str, Any]) -> None:
    """It reads a file, too."""
    config["data"] = "innocent.txt"


def evil_file_in_a_text(config: dict[str, Any]) -> None:
    config["data"] = "{class_path: innocent.txt}"


def evil_circle(config: dict[str, Any]) -> None:
    config["data"] = "circle.txt"


@pytest.mark.parametrize(
    "evil", [evil_class, evil_part, evil_function, evil_text, evil_file, evil_file_in_a_text, evil_circle]
)
def test_config_in_it_can_import_nothing(
    joint_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    evil: Callable[[dict[str, Any]], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("evil.py").write_text("raise SystemError('evil was imported')\n")
    Path("innocent.txt").write_text("class_path: evil.Evil\n")
    Path("circle.txt").write_text("class_path: circle.txt\n")
    checkpoint = torch.load(last(joint_run), weights_only=True)
    evil(checkpoint["crossx"]["config"])
    torch.save(checkpoint, "evil.ckpt")
    assert main(["validate", "--ckpt_path", "evil.ckpt"]) == 2
    assert "evil" not in sys.modules
    error = capsys.readouterr().err
    assert "'evil." in error or "nested too deeply" in error
    assert not Path("runs").exists()


def inner_class(arguments: dict[str, Any]) -> None:
    arguments["encoding"]["class_path"] = "evil.Evil"


def inner_text(arguments: dict[str, Any]) -> None:
    arguments["reconstruction"] = json.dumps({"class_path": "evil.Evil"})


def outer_class(arguments: dict[str, Any]) -> None:
    arguments["_class_path"] = "evil.Evil"


def way_of_building(arguments: dict[str, Any]) -> None:
    arguments["_instantiator"] = "evil.explode"


@pytest.mark.parametrize("key", ["hyper_parameters", "module_arguments"])
@pytest.mark.parametrize("evil", [inner_class, inner_text, outer_class, way_of_building])
def test_rebuilding_imports_nothing(
    joint_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    evil: Callable[[dict[str, Any]], None],
    key: str,
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "evil.py").write_text("raise SystemError('evil was imported')\n")
    checkpoint = torch.load(last(joint_run), weights_only=True)
    arguments = checkpoint.pop("hyper_parameters")
    evil(arguments)
    torch.save({**checkpoint, key: arguments}, tmp_path / "evil.ckpt")
    with pytest.raises(InputError, match=r"names 'evil\.\w+', which is not loaded"):
        CoTrainingModule.load_from_checkpoint(tmp_path / "evil.ckpt")
    assert "evil" not in sys.modules


def test_imports_what_the_user_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A config is code: the same name in the user's own config is imported."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "evil.py").write_text("raise SystemError('evil was imported')\n")
    with pytest.raises(InputError, match="evil was imported"):
        train(["fit", "--model", "evil.Evil"])


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "is not a file"), (b"nonsense", "starts with 'nonsense'; must be a checkpoint"), (b"", "is empty")],
)
def test_no_checkpoint_at_all(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "x.ckpt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        checkpoint_config(path)


def test_checkpoint_made_from_python_has_no_config(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "pytorch-lightning_version": "2.6.0"}, tmp_path / "x.ckpt")
    assert checkpoint_config(tmp_path / "x.ckpt") == {}


class KilledError(Exception):
    """What ends a run from outside."""


class KillAt(Callback):
    """Ends a run in the middle of a batch."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        if trainer.global_step == self.step:
            raise KilledError


def weights(folder: Path) -> dict[str, Tensor]:
    stored: dict[str, Tensor] = torch.load(last(folder), weights_only=True)["state_dict"]
    return stored


@pytest.mark.parametrize(
    ("every", "killed_at", "kept"), [(None, 3, 2), (None, 5, 4), (5, 5, 5)], ids=["epoch 1", "epoch 2", "within one"]
)
def test_a_killed_run_goes_on_from_what_it_left(
    teachers: Teachers, tmp_path: Path, every: int | None, killed_at: int, kept: int
) -> None:
    """An epoch has two batches; the seed is the checkpoint's own."""
    given = joint_config(teachers, tmp_path / "straight")
    given["seed_everything"] = 3
    del given["model"]["init_args"]["replay"]  # it is not saved
    given["trainer"]["max_steps"] = 6
    given["reports"] = {"run": {"checkpoint_every_n_steps": every}}
    train(["fit", "--config", write(tmp_path / "straight.yaml", given)])

    given["trainer"]["logger"]["init_args"]["save_dir"] = str(tmp_path / "killed")
    given["trainer"]["callbacks"] = [{"class_path": f"{__name__}.KillAt", "init_args": {"step": killed_at}}]
    with pytest.raises(KilledError):
        train(["fit", "--config", write(tmp_path / "killed.yaml", given)])
    left = tmp_path / "killed/run/version_0"
    assert torch.load(last(left), weights_only=True)["global_step"] == kept

    trainer = {**given["trainer"], "callbacks": None}
    trainer["logger"]["init_args"]["save_dir"] = str(tmp_path / "resumed")
    config = write(tmp_path / "resumed.yaml", {"trainer": trainer})
    train(["fit", "--config", config, "--ckpt_path", str(last(left))])
    resumed, straight = (weights(tmp_path / name / "run/version_0") for name in ("resumed", "straight"))
    assert resumed.keys() == straight.keys()
    assert all(torch.equal(resumed[name], straight[name]) for name in straight)


def test_seed_is_the_checkpoint_s_and_the_precision_is_not(
    teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = joint_config(teachers, tmp_path)
    given["seed_everything"] = 3
    given["trainer"]["precision"] = "bf16-mixed"
    train(["fit", "--config", write(tmp_path / "c.yaml", given)])
    cli = train(["validate", "--ckpt_path", str(last(tmp_path / "run/version_0")), "--trainer.accelerator=cpu"])
    assert cli.trainer.precision == "32-true"
    run = tmp_path / "run/version_0"
    found, fitted = results(newest(run / "validate")), results(run)
    assert found["seed"] == fitted["seed"] == 3
    assert found["metrics"] == fitted["metrics"]
    with pytest.warns(UserWarning, match="trained with seed 3 and goes on with --seed_everything 4"):
        train(
            ["fit", "--config", "c.yaml", "--seed_everything=4", "--ckpt_path", str(last(tmp_path / "run/version_0"))]
        )


@pytest.mark.parametrize(
    "config", [{"seed_everything": "evil"}, {"trainer": {"logger": "evil"}}, {"trainer": {"precision": "evil"}}]
)
def test_nothing_else_of_a_run_is_the_checkpoint_s(tmp_path: Path, config: dict[str, Any]) -> None:
    made = {"state_dict": {}, "pytorch-lightning_version": "2.6.0"}
    torch.save({**made, "crossx": {"config": config}}, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match="holds no config of crossx that can be read"):
        checkpoint_config(tmp_path / "x.ckpt")


def made(folder: Path, *runs: str, checkpoint: bool = True) -> None:
    """Runs, one after another, each with a config and maybe a checkpoint."""
    for name in runs:
        for file in ("config.yaml", *(["checkpoints/last.ckpt"] if checkpoint else [])):
            path = folder / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            made.time += 10  # type: ignore[attr-defined]
            os.utime(path, (made.time, made.time))  # type: ignore[attr-defined]


made.time = 1_000_000_000  # type: ignore[attr-defined]


def numbered(folder: Path, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - any argument of a logger
    return {"class_path": "CSVLogger", "init_args": {"save_dir": str(folder), "name": "a", **arguments}}


def test_last_is_of_the_newest_run(tmp_path: Path) -> None:
    made(tmp_path, "a/version_0", "a/version_10", "a/version_9")
    found = find_checkpoint("last", numbered(tmp_path))
    assert found == tmp_path / "a/version_9/checkpoints/last.ckpt", "by time: a run that was resumed is new"


def test_last_is_of_no_run_with_a_longer_name(tmp_path: Path) -> None:
    made(tmp_path, "a/b/version_0", "a/version_0/validate/version_0", "ab/version_0")
    with pytest.raises(InputError, match=r"^--ckpt_path: last: there is no checkpoints/last\.ckpt below "):
        find_checkpoint("last", numbered(tmp_path))
    made(tmp_path, "a/version_0", "a/b/version_1")
    assert find_checkpoint("last", numbered(tmp_path)) == tmp_path / "a/version_0/checkpoints/last.ckpt"


def test_last_is_refused_where_the_newest_run_has_none(tmp_path: Path) -> None:
    made(tmp_path, "a/version_0")
    made(tmp_path, "a/version_1", checkpoint=False)
    message = (
        r"the newest run, \S+/a/version_1, has no .*; must be a file, such as \S+/a/version_0/checkpoints/last\.ck"
    )
    with pytest.raises(InputError, match=message) as caught:
        find_checkpoint("last", numbered(tmp_path))
    assert "\n" not in str(caught.value)
    made(tmp_path, "a/version_0")  # goes on
    assert find_checkpoint("last", numbered(tmp_path)) == tmp_path / "a/version_0/checkpoints/last.ckpt"


@pytest.mark.parametrize(("version", "run"), [("", "a"), ("mine", "a/mine"), (3, "a/version_3")])
def test_last_of_a_run_with_a_version_of_its_own(tmp_path: Path, version: str | int, run: str) -> None:
    made(tmp_path, run)
    assert find_checkpoint("last", numbered(tmp_path, version=version)) == tmp_path / run / "checkpoints/last.ckpt"


def test_last_of_a_run_of_wandb(tmp_path: Path) -> None:
    made(tmp_path, "sbir/x7f3", "sbir/a81c")
    logger = numbered(tmp_path, project="sbir")
    assert find_checkpoint("last", logger) == tmp_path / "sbir/a81c/checkpoints/last.ckpt"
    assert find_checkpoint("last", [logger]) == tmp_path / "sbir/a81c/checkpoints/last.ckpt"
