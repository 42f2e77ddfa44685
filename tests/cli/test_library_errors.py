"""What Lightning and torch refuse is one line with the option; bugs keep their tracebacks."""

import re
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import yaml
from support.commands import edit, joint_config, part, write
from support.runs import Teachers

from crossx.cli import main
from crossx.cli.library_errors import refused_setting

LOGGERS, CALLBACKS = "lightning.pytorch.loggers", "lightning.pytorch.callbacks"


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("trainer.logger", part(f"{LOGGERS}.CometLogger"), r"^trainer\.logger: CometLogger cannot be built: R"),
        ("trainer.strategy", part("SingleDeviceStrategy", device="foo"), r"^trainer\.strategy: SingleDeviceStra"),
        ("trainer.callbacks", [part(f"{CALLBACKS}.EarlyStopping", monitor="a", mode="b")], r"^trainer\.callbacks: E"),
        ("trainer.devices", [0, 1], r"^trainer\.devices: `devices` selected with `CPUAccelerator` should be"),
        ("trainer.val_check_interval", 3, r"^trainer\.val_check_interval: `val_check_interval` \(3\) must be less"),
        ("trainer.check_val_every_n_epoch", 0, r"^trainer\.check_val_every_n_epoch: must be at least 1, got 0$"),
        ("trainer.limit_train_batches", 0, r"^trainer\.limit_train_batches: must be above 0 for `crossx fit`"),
        ("model.encoding.optimizer", part("torch.optim.SparseAdam"), r"^model\.encoding\.optimizer: .* SparseAdam "),
        ("model.encoding.optimizer", part("torch.optim.LBFGS"), r"^model\.encoding\.optimizer: .* LBFGS .* closure"),
        ("teachers", ["a", "b"], r"teachers: must be a mapping of options to values, got \['a', 'b'\]$"),
        ("data", 3, r"data: must be the name of a class, or a mapping with class_path, got 3$"),
        ("model", {"class_path": 3}, r"model\.class_path: must be the name of a class, got 3$"),
        ("max_steps", 20, r"^'max_steps' is not an option; .* \(did you mean 'trainer\.max_steps'\?\)$"),
        ("seed", 3, r"^'seed' is not an option; .* \(did you mean 'seed_everything'\?\)$"),
        ("trainer.plugins", "abc", r"^trainer\.plugins: class 'abc' is not known; must be one of .* and \d+ more, "),
    ],
)  # fmt: skip
def test_is_one_line_with_the_option(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, value: object, message: str
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, place, value)
    assert main(["fit", "--config", write(tmp_path / "c.yaml", content)]) == 2
    found = capsys.readouterr().err.partition("crossx: error: ")[2].strip()
    assert "\n" not in found
    assert re.search(message, found), found


@pytest.mark.parametrize(("verb", "limit"), [("validate", "val"), ("test", "test")])
def test_a_measurement_of_nothing_is_refused(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str, limit: str
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    words = [verb, "--config", write(tmp_path / "c.yaml", content), f"--trainer.limit_{limit}_batches", "0"]
    assert main(words) == 2
    assert f"trainer.limit_{limit}_batches: must be above 0 for `crossx {verb}`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("BackboneFinetuning", {}, "freezes an attribute `backbone`"),
        ("BaseFinetuning", {}, "freezes an attribute `backbone`"),
        ("ModelPruning", {"pruning_fn": "l1_unstructured", "amount": 0.1}, "in a run with teachers"),
        ("WeightAveraging", {}, "in a run with teachers"),
        ("EMAWeightAveraging", {}, "in a run with teachers"),
    ],
)
def test_callbacks_for_other_models_are_refused_before_training(
    teachers: Teachers,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    arguments: dict[str, Any],
    reason: str,
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "trainer.callbacks", [part(f"{CALLBACKS}.{name}", **arguments)])
    assert main(["fit", "--config", write(tmp_path / "c.yaml", content)]) == 2
    error = capsys.readouterr().err
    assert f"crossx: error: trainer.callbacks: must not have {name}" in error
    assert reason in error
    assert not list(tmp_path.glob("runs/run/*/*"))


def test_a_callback_whose_default_is_an_enumeration_is_written_to_the_config(
    teachers: Teachers, tmp_path: Path
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "trainer.callbacks", [part(f"{CALLBACKS}.Timer", duration="00:01:00:00")])
    edit(content, "trainer.max_steps", 1)
    assert main(["fit", "--config", write(tmp_path / "c.yaml", content)]) == 0
    written = yaml.safe_load((tmp_path / "runs/run/version_0/config.yaml").read_text())
    assert written["trainer"]["callbacks"][0]["init_args"]["interval"] == "step"


@pytest.mark.parametrize("devices", [100000, "100000"])
def test_more_processes_than_a_machine_holds_are_refused(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str], devices: object
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "trainer.devices", devices)
    assert main(["fit", "--config", write(tmp_path / "c.yaml", content)]) == 2
    assert re.search(
        r"error: trainer\.devices: must be at most \d+ processes on the CPU cores", capsys.readouterr().err
    )


def test_a_fit_without_a_step_says_so(
    joint_run: Path, teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write(tmp_path / "c.yaml", joint_config(teachers, tmp_path / "runs"))
    last = str(joint_run / "checkpoints/last.ckpt")
    assert main(["fit", "--config", config, "--ckpt_path", last, "--trainer.max_steps", "2"]) == 0
    assert "trained nothing: 4 steps are done, and trainer.max_steps is 2" in capsys.readouterr().out


class Buggy(pl.Callback):
    """A user's callback with a bug."""

    def on_train_start(self, *args: Any) -> None:  # noqa: ANN401
        raise ValueError("`max_steps` is wrong here")


def test_a_bug_keeps_its_traceback(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "trainer.callbacks", [{"class_path": f"{__name__}.Buggy"}])
    with pytest.raises(ValueError, match="is wrong here"):
        main(["fit", "--config", write(tmp_path / "c.yaml", content)])


def test_an_error_that_lightning_did_not_raise_is_none_of_its_refusals() -> None:
    with pytest.raises(TypeError) as caught:
        raise TypeError("`devices` is no number")
    assert refused_setting(caught.value) is None
