"""`imports` in configs and `--imports`: a user's own package, and what may not cause an import."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from support.commands import joint_config, write
from support.runs import CLASSES, Teachers

from crossx.cli import main
from crossx.cli.composing import compose
from crossx.cli.training import parse
from crossx.core.errors import InputError

OWN = """
from torch import nn
from crossx.networks.base import Network

class Own{name}(Network):
    def __init__(self, num_classes, width=3):
        super().__init__()
        self.num_features, self.num_classes = width, num_classes
        self.stem = nn.Conv2d(3, width, 1)
        self.head = nn.Linear(width, num_classes) if num_classes else nn.Identity()

    def pooled(self, x):
        return self.stem(x).mean((2, 3))

    def classify(self, features):
        return self.head(features)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a package of one file, and an import path without it."""
    loaded, path = set(sys.modules), list(sys.path)
    (tmp_path / "own_lab_one").mkdir()
    (tmp_path / "own_lab_one/networks.py").write_text(OWN.format(name="Net"))
    (tmp_path / "own_lab_two.py").write_text(OWN.format(name="Other"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in path if entry])
    yield tmp_path
    for name in set(sys.modules) - loaded:
        if name.startswith("own_lab"):
            del sys.modules[name]


def card(folder: Path, network: str) -> None:
    """A sketch teacher of a user's network, `sketch.yaml`."""
    torch.manual_seed(0)
    n = len(CLASSES)
    shapes = {"stem.weight": (3, 3, 1, 1), "stem.bias": (3,), "head.weight": (n, 3), "head.bias": (n,)}
    torch.save({name: torch.randn(shape) for name, shape in shapes.items()}, folder / "w.pt")
    values = {"modality": "sketch", "network": network, "classes": list(CLASSES), "input_size": 16, "weights": "w.pt"}
    (folder / "sketch.yaml").write_text(yaml.safe_dump({**values, "mean": [0.5] * 3, "std": [0.5] * 3}))


def test_modules_of_configs_what_they_include_and_the_command_line_are_joined(folder: Path) -> None:
    (folder / "low.yaml").write_text("imports: [json, own_lab_two]\n")
    (folder / "high.yaml").write_text("include: [low.yaml]\nimports: [own_lab_one.networks, json]\n")
    words = ["fit", "--config", "high.yaml", "--imports", "string,json", "--imports=textwrap"]
    composition = compose(words)
    assert composition.config["imports"] == ["json", "own_lab_two", "own_lab_one.networks", "string", "textwrap"]
    assert {"own_lab_two", "own_lab_one.networks"} <= set(sys.modules)
    assert not [word for word in composition.argv if "--imports" in word]


@pytest.mark.parametrize("way", ["config", "option"])
def test_a_card_names_a_network_of_a_package_in_the_working_directory(
    way: str, folder: Path, teachers: Teachers, capsys: pytest.CaptureFixture[str]
) -> None:
    module = f"own_lab_{way}.networks"  # a class stays known in this process once its module was imported
    (folder / f"own_lab_{way}").mkdir()
    (folder / f"own_lab_{way}/networks.py").write_text(OWN.format(name="Net"))
    card(folder, f"{module}.OwnNet")
    content = joint_config(Teachers(teachers.photo, "sketch.yaml"), folder / "runs")
    words = ["fit", "--config", write(folder / "c.yaml", content)]
    assert main(words) == 2
    line = capsys.readouterr().err
    assert f"'{module}.OwnNet' is not loaded" in line
    assert f"`imports: [{module}]` at the top of the config" in line
    if way == "config":
        write(folder / "c.yaml", {**content, "imports": [module]})
    else:
        words += ["--imports", module]
    assert main(words) == 0
    written = folder / "runs/run/version_0"
    assert yaml.safe_load((written / "config.yaml").read_text())["imports"] == [module]
    checkpoint = str(written / "checkpoints/last.ckpt")
    assert main(["validate", "--ckpt_path", checkpoint, "--imports", module]) == 0


def test_a_teacher_of_such_a_network_is_inspected(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "own_lab_inspect.py").write_text(OWN.format(name="Net"))
    card(folder, "own_lab_inspect.OwnNet")
    assert main(["inspect", "sketch.yaml"]) == 2
    assert "'own_lab_inspect.OwnNet' is not loaded" in capsys.readouterr().err
    assert main(["inspect", "sketch.yaml", "--imports", "json,own_lab_inspect.py"]) == 2
    assert "--imports: must be the name of a module" in capsys.readouterr().err
    assert main(["inspect", "sketch.yaml", "sketch.yaml", "--imports", "json,own_lab_inspect"]) == 0
    assert "own_lab_inspect.OwnNet" in capsys.readouterr().out


def test_without_imports_the_config_says_nothing_of_them(teachers: Teachers, tmp_path: Path) -> None:
    name = write(tmp_path / "c.yaml", joint_config(teachers, tmp_path))
    assert "imports" not in compose(["fit", "--config", name]).config
    assert parse(["fit", "--config", name])["imports"] is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("3", r"c\.yaml: imports: must be a list of modules, such as \[my_package\.networks\], got 3"),
        ("[3]", r"c\.yaml: imports: must be a list of modules"),
        ("[own_lab_two.py]", r"c\.yaml: imports: must be the name of a module.*\(did you mean 'own_lab_two'\?\)"),
        ("[own_lab_one/networks.py]", r"did you mean 'own_lab_one\.networks'"),
        ("[no_such_lab]", r"c\.yaml: imports: 'no_such_lab' cannot be imported: No module.*in the working directory"),
        ("[own_lab_one.nets]", r"'own_lab_one\.nets' cannot be imported: No module named 'own_lab_one\.nets'"),
        ("[own_lab_bad]", r"own_lab_bad\.py, line 2: ZeroDivisionError: division by zero"),
        ("[own_lab_syntax]", r"own_lab_syntax\.py, line 1: "),
        ("[own_lab_needs]", r"own_lab_needs\.py, line 1: ModuleNotFoundError: No module named 'no_such_part'"),
    ],
)
def test_what_cannot_be_imported_is_one_line(
    value: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "own_lab_bad.py").write_text("x = 1\nx / 0\n")
    (folder / "own_lab_syntax.py").write_text("def\n")
    (folder / "own_lab_needs.py").write_text("import no_such_part\n")
    (folder / "c.yaml").write_text(f"include: [quickstart.yaml]\nimports: {value}\n")
    assert main(["fit", "--config", "c.yaml"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert re.search(message, lines[0]), lines


def test_the_command_line_names_its_option(folder: Path) -> None:
    assert folder.exists()
    with pytest.raises(InputError, match=r"^--imports: 'no_such_lab' cannot be imported"):
        compose(["fit", "--imports", "no_such_lab"])


def test_a_checkpoint_never_imports(folder: Path, joint_run: Path) -> None:
    checkpoint = torch.load(joint_run / "checkpoints/last.ckpt", weights_only=True)
    config = checkpoint["crossx"]["config"]
    for changed in (
        {**config, "imports": ["own_lab_two"]},
        {**config, "model": {**config["model"], "imports": ["own_lab_two"]}},
    ):
        torch.save({**checkpoint, "crossx": {**checkpoint["crossx"], "config": changed}}, folder / "evil.ckpt")
        with pytest.raises(InputError):
            parse(["validate", "--ckpt_path", "evil.ckpt"])
        assert "own_lab_two" not in sys.modules


def test_a_card_never_imports(folder: Path, teachers: Teachers) -> None:
    (folder / "own_lab_never.py").write_text(OWN.format(name="Never"))
    card(folder, "own_lab_never.OwnNever")
    content = joint_config(Teachers(teachers.photo, "sketch.yaml"), folder / "runs")
    assert main(["fit", "--config", write(folder / "c.yaml", content)]) == 2
    assert "own_lab_never" not in sys.modules


def test_the_working_directory_hides_no_installed_package(folder: Path) -> None:
    """As with the installed command, whose import path does not begin with the working directory."""
    (folder / "timm.py").write_text("raise SystemError('the wrong one')\n")
    (folder / "c.yaml").write_text("imports: [timm, own_lab_two]\n")
    code = "import sys; from crossx.cli.composing import compose; compose(['fit', '--config', 'c.yaml'])"
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=folder)
