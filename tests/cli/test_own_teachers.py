"""The two examples of docs/how-to/teachers.md as a new user would try them, and a teacher that has diverged."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support.commands import joint_config, write
from support.runs import Teachers
from torch import nn

from crossx.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/teachers.md").read_text()
SMALL = {
    "data": {"init_args": {"batch_size": 8, "batches_per_epoch": 2}},
    "dataset": {"class_path": "ShapesDataset", "init_args": {"train": 2, "validation": 2, "test": 2}},
    "trainer": {"max_steps": 4, "precision": "32-true", "logger": {"name": "mine"}},
}


class StrangersNet(nn.Module):
    """What the example's photo classifier was trained as."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 3, stride=2, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )
        self.fc = nn.Linear(24, 10)


def titled(name: str) -> str:
    """The code block of the page that has a file's name as its title."""
    (found,) = re.findall(rf'^```\w+ title="{re.escape(name)}"\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_examples_of_the_page_become_teachers_of_a_joint_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("sketch.yaml", "my_package/networks.py", "photo.yaml", "mine.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(titled(name))
    torch.manual_seed(0)
    model = nn.DataParallel(timm.create_model("resnet18", num_classes=10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    line = next(line for line in PAGE.splitlines() if line.startswith('torch.save({"epoch": 90'))
    exec(line, {"torch": torch, "model": model, "optimizer": optimizer}, {})  # noqa: S102 - the page's own line
    torch.save(StrangersNet().state_dict(), tmp_path / "photo.pth")
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(SMALL))
    # PYTHONSAFEPATH keeps the working directory off the import path, as the installed command does.
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "crossx", "fit", "--config", "mine.yaml", "--config", "small.yaml"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs/mine").iterdir()
    assert (run / "checkpoints/last.ckpt").is_file()
    assert yaml.safe_load((run / "config.yaml").read_text())["imports"] == ["my_package.networks"]


@pytest.mark.parametrize("form", ["yaml", "safetensors"])
def test_a_fit_with_a_diverged_teacher_blames_its_file(
    form: str, teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = load_file(teachers.sketch)
    next(tensor for name, tensor in weights.items() if name.endswith("running_var")).fill_(float("nan"))
    with safe_open(teachers.sketch, "pt") as file:
        card = file.metadata()
    if form == "yaml":
        torch.save({"state_dict": weights}, tmp_path / "diverged.pt")
        values = {**yaml.safe_load(card["crossx_card"]), "weights": "diverged.pt"}
        (tmp_path / "sketch.yaml").write_text(yaml.safe_dump(values))
    else:
        save_file(weights, tmp_path / "diverged.safetensors", card)
    sketch = tmp_path / ("sketch.yaml" if form == "yaml" else "diverged.safetensors")
    content = joint_config(Teachers(teachers.photo, str(sketch)), tmp_path / "runs")
    assert main(["fit", "--config", write(tmp_path / "c.yaml", content)]) == 2
    line = capsys.readouterr().err.strip()
    assert re.fullmatch(r"crossx: error: \S*diverged\.\w+: tensor \S+running_var: must be finite, .*", line)
    assert not (tmp_path / "runs").exists()
