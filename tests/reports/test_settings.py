"""What a config switches off and thins out under `reports`."""

from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import edit, joint_config, run, write
from support.runs import Teachers
from torch import nn

from crossx.cli import main
from crossx.reports.fixed import FixedPairs
from crossx.reports.health.diversity import Diversity
from crossx.reports.health.monitor import HealthMonitor
from crossx.reports.pictures.filmstrip import Filmstrip
from crossx.reports.pictures.pairs import PairSheets
from crossx.reports.run.baselines import TeacherBaselines
from crossx.reports.run.checkpoint import LastCheckpoint
from crossx.reports.run.report import RunReport
from crossx.reports.settings import Health, Pictures, Reports, RunRecord, callbacks
from crossx.reports.validations import AfterValidation
from crossx.reports.wandb import WandbDashboard
from crossx.types import LatentBatch, PairBatch, TeacherOutput

PICTURES = {"pairs", "retrieval", "classes", "hardest", "filmstrip.png"}
RECORD = {"config.yaml", "metrics.csv", "results.json", "encoders.safetensors", "checkpoints"}


def left(folder: Path) -> set[str]:
    return {path.name for path in (folder / "run/version_0").iterdir()}


def test_rooms_are_switched_off_by_one_word_each(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path)
    content["reports"] = {"pictures": False, "health": False, "wandb": False}
    cli = run("fit", tmp_path / "c.yaml", content)
    assert left(tmp_path) == RECORD
    kinds = {type(callback) for callback in cli.trainer.callbacks}  # type: ignore[attr-defined]  # set in its constructor
    assert not kinds & {HealthMonitor, Diversity, PairSheets, Filmstrip, WandbDashboard}
    assert kinds >= {TeacherBaselines, LastCheckpoint, RunReport}


def test_single_pictures_are_switched_off_and_all_are_thinned_out(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path)
    edit(content, "trainer.max_steps", 10)
    content["reports"] = {"pictures": {"filmstrip": False, "hardest": {"pairs": 2}}}
    run("fit", tmp_path / "c.yaml", content, "--reports.pictures.every", "2")
    assert left(tmp_path) == RECORD | PICTURES - {"filmstrip.png"}
    for kind, prefix in (("pairs", ""), ("classes", ""), ("retrieval", "validation_")):
        names = sorted(path.name for path in (tmp_path / "run/version_0" / kind).glob("*.png"))
        # Validations come after steps 2, 4, 6, 8 and 10; the last one is always shown.
        assert names == [f"{prefix}step_{step:07d}.png" for step in (4, 8, 10)]


def test_a_run_without_baselines_has_neither_them_nor_what_is_measured_by_them(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("fit", tmp_path / "c.yaml", joint_config(teachers, tmp_path), "--reports.run.baselines", "false")
    assert "posterior" not in capsys.readouterr().out
    assert "diversity" not in (tmp_path / "run/version_0/metrics.csv").read_text()


def test_reports_share_one_batch_of_fixed_latents() -> None:
    shared = {id(c.fixed) for c in callbacks(Reports()) if isinstance(c, AfterValidation)}
    assert len(shared) == 1


class Counting(nn.Module):
    """Generators that make their latents."""

    latent_dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.calls = 0

    def sample(self, latents: LatentBatch) -> PairBatch:
        self.calls += 1
        output = TeacherOutput(latents.noise, latents.noise)
        return PairBatch(latents.noise, latents.noise, output, output, latents.index)


def test_fixed_pairs_are_generated_once_a_step() -> None:
    fixed, module = FixedPairs(), Counting()
    first = fixed.at(3, module, 4)
    assert fixed.at(3, module, 4) is first
    assert module.calls == 1
    assert fixed.at(4, module, 4) is not first
    fixed.clear()
    fixed.at(4, module, 4)
    assert module.calls == 3


def test_order() -> None:
    kinds = [type(c) for c in callbacks(Reports(run=RunRecord(), health=Health(), pictures=Pictures()))]
    assert kinds.index(TeacherBaselines) < kinds.index(Diversity) < kinds.index(RunReport)
    assert kinds.index(HealthMonitor) < kinds.index(LastCheckpoint)
    assert kinds[-1] is WandbDashboard


@pytest.mark.parametrize(
    ("reports", "wrong", "nearest"),
    [
        ({"pictres": False}, "pictres", "pictures"),
        ({"pictures": {"filmstip": False}}, "filmstip", "filmstrip"),
        ({"health": {"detector": []}}, "detector", "detectors"),
        ({"pictures": {"hardest": {"pair": 3}}}, "pair", "pairs"),
    ],
)
def test_an_unknown_section_names_the_nearest_one(
    teachers: Teachers,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    reports: dict[str, Any],
    wrong: str,
    nearest: str,
) -> None:
    content = joint_config(teachers, tmp_path)
    content["reports"] = reports
    assert main(["fit", "--config", write(tmp_path / "c.yaml", content)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("crossx: error:")]
    assert "reports" in line
    assert wrong in line
    assert nearest in line
    assert len(line) < 300
