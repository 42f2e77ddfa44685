"""What no fit can honour is refused in one line before the first step, by each root module."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback, GradientAccumulationScheduler
from support.commands import ENCODING, RECONSTRUCTION, Config, config, edit, joint_config, part, write
from support.runs import SIZE, Teachers

from crossx.cli import main


class Doubled(GradientAccumulationScheduler):
    """One batch a step, and two from the second epoch on."""

    def __init__(self) -> None:
        super().__init__({1: 2})


class Unchecked(torch.optim.SGD):
    """An optimiser that takes any rate."""

    def __init__(self, params: Any, lr: float) -> None:  # noqa: ANN401 - torch's
        super().__init__(params, 1.0)
        for group in self.param_groups:
            group["lr"] = lr


class FirstStep(Callback):
    """Fails the test where training begins."""

    def on_sanity_check_start(self, trainer: object, pl_module: object) -> None:
        raise AssertionError("something was measured")

    def on_train_batch_start(self, *args: object) -> None:
        raise AssertionError("something was trained")


def reconstruction(teachers: Teachers, folder: Path) -> Config:
    return config(teachers, folder, RECONSTRUCTION)


def encoder(teachers: Teachers, folder: Path) -> Config:
    return config(teachers, folder, part("EncoderModule", **{**ENCODING["init_args"], "pairs": part("RealPairs")}))


def classifier(teachers: Teachers, folder: Path) -> Config:
    arguments = {"widths": [8, 8]}
    output = str(folder / "t.safetensors")
    model = part("ClassifierModule", output=output, input_size=SIZE, arguments=arguments)
    content = config(teachers, folder, model)
    del content["teachers"]
    dataset = part("ShapesDataset", size=SIZE, train=4, validation=2, test=2)
    content["data"] = part("LabelledImagesDataModule", dataset=dataset, modality="photo", batch_size=8)
    return content


Root = Callable[[Teachers, Path], Config]
ROOTS: tuple[Root, ...] = (joint_config, reconstruction, encoder, classifier)
each_root = pytest.mark.parametrize("root", ROOTS)


@pytest.fixture
def refused(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[Root, dict[str, Any]], str]:
    """Return the line with which a fit refuses settings."""

    def message(root: Root, settings: dict[str, Any]) -> str:
        content = root(teachers, tmp_path / "runs")
        side = "model.reconstruction" if root is joint_config else "model"
        for place, value in {"trainer.callbacks": [], **settings}.items():
            edit(content, place.replace("SIDE", side), value)
        content["trainer"]["callbacks"] += [{"class_path": f"{__name__}.FirstStep"}]
        assert main(["fit", "--config", write(tmp_path / "config.yaml", content)]) == 2
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("crossx: error: ")]
        assert len(lines) == 1
        assert not list(tmp_path.glob("runs/run/*/*"))
        return lines[0].removeprefix("crossx: error: ")

    return message


@each_root
@pytest.mark.parametrize(
    "precision", ["bf16-true", "16-true", "64-true", "64", "transformer-engine", "transformer-engine-float16"]
)
def test_precision(refused: Callable[..., str], root: Root, precision: str) -> None:
    line = refused(root, {"trainer.precision": precision})
    name = "64-true" if precision == "64" else precision
    assert line.startswith("trainer.precision: must be one of 32-true, bf16-mixed")
    assert f", got {name}" in line


@each_root
def test_accumulation(refused: Callable[..., str], root: Root) -> None:
    assert refused(root, {"trainer.accumulate_grad_batches": 2}).startswith(
        "trainer.accumulate_grad_batches: must be 1"
    )


@each_root
@pytest.mark.parametrize(
    "callback", [part("GradientAccumulationScheduler", scheduling={0: 2}), {"class_path": f"{__name__}.Doubled"}]
)
def test_accumulation_by_a_callback(refused: Callable[..., str], root: Root, callback: Config) -> None:
    line = refused(root, {"trainer.callbacks": [callback]})
    assert line.startswith(
        f"trainer.callbacks: {callback['class_path'].rpartition('.')[2]} must accumulate 1 batch, got"
    )


@each_root
@pytest.mark.parametrize("optimizer", ["torch.optim.Adam", "torch.optim.SGD"])
def test_negative_rate(refused: Callable[..., str], root: Root, optimizer: str) -> None:
    line = refused(root, {"SIDE.optimizer": part(optimizer, lr=-0.1)})
    assert re.search(r"optimizer(\.lr)?: Invalid learning rate: -0\.1$", line), line


@each_root
def test_negative_rate_of_an_optimiser_that_does_not_check_it(refused: Callable[..., str], root: Root) -> None:
    line = refused(root, {"SIDE.optimizer": part(f"{__name__}.Unchecked", lr=-0.1)})
    place = "model.reconstruction." if root is joint_config else "model."
    assert line == f"{place}optimizer.lr: must be at least 0, got -0.1"


@each_root
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("OneCycleLR", {"max_lr": 0.1, "total_steps": 1}),
        ("CosineAnnealingLR", {"T_max": 1}),
        ("PolynomialLR", {"total_iters": 1}),
        ("LinearLR", {"end_factor": 0, "total_iters": 1}),
    ],
)
def test_schedule_that_ends_early(
    refused: Callable[..., str], root: Root, name: str, arguments: dict[str, Any]
) -> None:
    line = refused(root, {"SIDE.scheduler": part(f"torch.optim.lr_scheduler.{name}", **arguments)})
    place, steps = ("model.reconstruction.", 3) if root is joint_config else ("model.", 4)
    assert line.startswith(f"{place}scheduler: must fit the {steps} steps of its phase, got {name} over 1; ")


@pytest.mark.parametrize("root", [joint_config, encoder])
def test_replay_pool_smaller_than_a_batch_s_share(refused: Callable[..., str], root: Root) -> None:
    line = refused(root, {"model.replay": part("Replay", size=10), "data.batch_size": 64})
    assert line.startswith("replay.size: must hold the 32 pairs that a batch of 64 replays, got 10")


def test_accumulation_of_one_batch_is_none(teachers: Teachers, tmp_path: Path) -> None:
    content = reconstruction(teachers, tmp_path)
    edit(content, "trainer.callbacks", [part("GradientAccumulationScheduler", scheduling={0: 1})])
    assert main(["fit", "--config", write(tmp_path / "config.yaml", content)]) == 0
