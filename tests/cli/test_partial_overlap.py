"""Teachers with partly different classes, from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import Config, edit, joint_config, part, run, write
from support.runs import CLASSES, save_teachers

from crossx.cli import main

CHECKPOINT = "run/version_0/checkpoints/last.ckpt"


def completed(folder: Path, name: str) -> Config:
    """Joint training whose sketch encoder asks the photo teacher: two batches of generators, two of encoders."""
    teachers = save_teachers(folder, classes={"photo": CLASSES[:7], "sketch": CLASSES[3:]})
    content = joint_config(teachers, folder / name)
    for name_of, weight in (("encoder", 0.0), ("sketch_encoder", 1.0)):
        encoder = part("CompletedPosteriorEncoder", reading_weight=weight)
        head = part("TeacherHeadEncoder", dim=4, hidden=0)
        parts = {"completed": {"encoder": encoder, "weight": 0.9}, "head": {"encoder": head, "weight": 0.1}}
        edit(content, f"model.encoding.{name_of}", part("CompositeEncoder", parts=parts))
    edit(content, "model.reconstruction.terms.adversarial", {"loss": part("AdversarialLoss")})
    edit(content, "model.schedule.encoder_steps", 2)
    edit(content, "model.replay", None)  # it is not saved
    edit(content, "data.unknown_classes", True)
    return content


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four batches."""
    folder = tmp_path_factory.mktemp("overlap")
    run("fit", folder / "c.yaml", completed(folder, "straight"))
    return folder / "straight"


def weights(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(folder / CHECKPOINT, weights_only=True)["state_dict"]
    return loaded


def test_is_trained_and_measured_with_its_statistics(straight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it measures at the end of training it measures again from the checkpoint."""
    adapted = {name: bool(value) for name, value in weights(straight).items() if name.endswith("reader.adapted")}
    assert adapted == {"encoding.sketch_encoder.parts.completed.reader.adapted": True}
    monkeypatch.chdir(straight)
    assert main(["validate", "--ckpt_path", str(straight / CHECKPOINT), "--trainer.accelerator", "cpu"]) == 0
    again = json.loads((straight / "run/version_0/validate/version_0/results.json").read_text())
    fitted = json.loads((straight / "run/version_0/results.json").read_text())
    assert again["metrics"] == fitted["metrics"]
    assert again["metrics"] != fitted["baselines"]["posterior"]


def test_resumes_with_its_statistics(straight: Path) -> None:
    content = completed(straight.parent, "resumed")
    content["trainer"]["max_steps"] = 3
    path = straight.parent / "r.yaml"
    run("fit", path, content)
    content["trainer"]["max_steps"] = 4
    run("fit", path, content, "--ckpt_path", str(straight.parent / "resumed" / CHECKPOINT))
    found, expected = (weights(straight.parent / name) for name in ("resumed", "straight"))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_says_that_statistics_do_not_fit(straight: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fit with reading has statistics that a measurement without reading would drop in silence."""
    override = "--model.encoding.init_args.sketch_encoder.init_args.parts.completed.encoder.init_args.reading_weight=0"
    words = ["validate", "--config", write(straight / "c.yaml", completed(straight.parent, "other")), override]
    assert main([*words, "--ckpt_path", str(straight / CHECKPOINT)]) == 2
    assert "reader" in capsys.readouterr().err
