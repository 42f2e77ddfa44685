"""Every objective from the command line: jointly, with data, and after a resume."""

import csv
import math
import re
from pathlib import Path

import pytest
import torch
from support.commands import ENCODING, Config, config, edit, joint_config, part, run, write
from support.exported import exported, term_name
from support.runs import SIZE, Teachers
from torch import Tensor

from crossx import baselines
from crossx.cli import main
from crossx.cotraining.module import CoTrainingModule
from crossx.encoding import losses
from crossx.encoding.losses import EncodingLoss

ARGUMENTS: dict[str, Config] = {
    "InfoNCELoss": {"queue_size": 0},  # a resumed run begins with an empty queue
    "MIBLoss": {"beta": 0.01, "estimate": "jensen_shannon"},
    "SiameseLoss": {"margin": 0.8},
    "TripletLoss": {"margin": 0.8, "mining": "hard"},
}
"""Arguments of losses whose defaults are not what this file tests."""


def every_term() -> dict[str, Config]:
    """A term for each loss that the packages export."""
    kind: type[EncodingLoss] = EncodingLoss  # type: ignore[type-abstract]  # compared with, never built
    names = [*exported(losses, kind), *exported(baselines, kind)]
    return {term_name(name): part(name, **ARGUMENTS.get(name, {})) for name in names}


TERMS = every_term()

OWN = {
    "MIB.mean.weight",
    "MIB.mean.bias",
    "MIB.deviation.weight",
    "MIB.deviation.bias",
    "UniModalDistillation.classifiers.photo.weight",
    "UniModalDistillation.classifiers.photo.bias",
    "UniModalDistillation.classifiers.sketch.weight",
    "UniModalDistillation.classifiers.sketch.bias",
}
"""Parameters that some of the losses have."""

terms = {name: {"loss": loss, "weight": 0.5} for name, loss in TERMS.items()}


def with_students(content: Config, place: str) -> Config:
    """Encoders that fit every objective."""
    network = part("SmallResNet", num_classes=0, widths=[8, 8], norm="group")
    edit(content, f"{place}.encoder", part("StudentEncoder", network=network, input_size=SIZE))
    edit(content, f"{place}.terms", terms)
    return content


def jointly(teachers: Teachers, folder: Path) -> Config:
    """All objectives at once, without replay: with it a resumed run is not the straight one."""
    content = with_students(joint_config(teachers, folder), "model.encoding")
    edit(content, "model.replay", None)
    content["seed_everything"] = 1
    return content


def parameters(folder: Path) -> set[str]:
    """Names of the parameters of all losses, in the module that a joint run's checkpoint gives back."""
    module = CoTrainingModule.load_from_checkpoint(folder / "checkpoints/last.ckpt")
    names = {name for name, _ in module.encoding.objective.losses.named_parameters()}
    assert names >= OWN
    return names


def check_logs(folder: Path) -> None:
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name in TERMS:
        values = [float(row[f"encode/{name}"]) for row in rows if row[f"encode/{name}"]]
        assert values, name
        assert all(math.isfinite(value) and value >= 0 for value in values), (name, values)


def own(folder: Path) -> dict[str, Tensor]:
    """What the objectives have learned themselves, out of the checkpoint, by term and name."""
    state = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    return {n.partition("objective.losses.")[2]: tensor for n, tensor in state.items() if "objective" in n}


@pytest.fixture(scope="module")
def four_steps(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jointly")
    run("fit", folder / "config.yaml", jointly(teachers, folder))
    return folder / "run/version_0"


def test_all_fit_jointly(four_steps: Path) -> None:
    check_logs(four_steps)
    assert own(four_steps).keys() == parameters(four_steps)


def test_all_fit_with_data(four_steps: Path, teachers: Teachers, tmp_path: Path) -> None:
    content = with_students(config(teachers, tmp_path, ENCODING), "model")
    edit(content, "model.pairs", part("RealPairs"))
    run("fit", tmp_path / "config.yaml", content)
    check_logs(tmp_path / "run/version_0")
    assert own(tmp_path / "run/version_0").keys() == parameters(four_steps)


def test_a_resumed_run_goes_on_with_what_the_objectives_have_learned(
    four_steps: Path, teachers: Teachers, tmp_path: Path
) -> None:
    content = jointly(teachers, tmp_path)
    edit(content, "trainer.max_steps", 6)
    run("fit", tmp_path / "straight.yaml", content)
    edit(content, "trainer.logger.version", 1)
    run("fit", tmp_path / "resumed.yaml", content, "--ckpt_path", str(four_steps / "checkpoints/last.ckpt"))
    before, straight, resumed = (own(f) for f in (four_steps, *sorted((tmp_path / "run").iterdir())))
    assert straight.keys() == resumed.keys() == parameters(four_steps)
    for name, tensor in straight.items():
        assert torch.equal(resumed[name], tensor), name
        assert not torch.equal(before[name], tensor), f"{name} has not learned"


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (part("SiameseLoss", margin=3), r"^model\.encoding\.terms\.\w+\.loss\.margin: must be in \(0, 2\], got 3"),
        (part("TripletLoss", mining="hardest"), r"^model\.encoding\.terms.*hardest"),
        (part("MIBLoss", estimate="zeros"), r"^model\.encoding\.terms.*zeros"),
    ],
)
def test_a_mistake_has_one_clear_message(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str], loss: Config, message: str
) -> None:
    content = jointly(teachers, tmp_path)
    edit(content, "model.encoding.terms", {"own": {"loss": loss}})
    assert main(["fit", "--config", write(tmp_path / "config.yaml", content)]) == 2
    err = capsys.readouterr().err
    found = err.partition("crossx: error: ")[2].strip()
    assert re.search(message, found), found
    assert "Traceback" not in err
