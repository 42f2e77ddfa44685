"""`crossx quickstart`: two runs of the shipped configs, and what it shows of them."""

import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from crossx.cli import main
from crossx.cli.training import train
from crossx.core.paths import package_file
from crossx.data.shapes.dataset import ShapesDataset
from crossx.teachers.teacher import load_teacher, read_card
from crossx.types import Modality

Done = subprocess.CompletedProcess[bytes]
RUNS = ("data_free", "with_data")
SMALL = {
    "trainer.max_steps": "4",
    "trainer.precision": "32-true",
    "trainer.enable_progress_bar": "false",
    "data.batch_size": "8",
    "data.batches_per_epoch": "4",
    "data.dataset.train": "2",
    "data.dataset.validation": "2",
}
SMALL_JOINT = {"model.schedule.warmup": "1", "model.schedule.encoder_steps": "1", "model.replay.size": "200"}


class Shown(NamedTuple):
    """A quickstart that has run."""

    folder: Path
    out: str
    commands: list[list[str]]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Both runs for real, on the shipped configs, made small, in this process."""
    folder = tmp_path_factory.mktemp("quickstart") / "out"
    commands: list[list[str]] = []

    def in_process(command: list[str], check: bool) -> Done:
        assert not check, "a status is for quickstart to explain"
        commands.append(command)
        small = SMALL if "quickstart_with_data.yaml" in command else {**SMALL, **SMALL_JOINT}
        train([*command[3:], *(f"--{name}={value}" for name, value in small.items())])
        return Done(command, 0)

    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
        patch.setattr(subprocess, "run", in_process)
        patch.setenv("PL_GLOBAL_SEED", "0")  # the runs set it, and the patch then takes it away again
        assert main(["quickstart", "--output", str(folder), "--seed", "3"]) == 0
    return Shown(folder, out.getvalue(), commands)


def value_of(command: list[str], option: str) -> str:
    """Of `--...option=value`."""
    (value,) = [word.partition("=")[2] for word in command if word.partition("=")[0].endswith(option)]
    return value


@pytest.fixture
def replay(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """In place of a run, the files of the one that was made before; returns the commands."""
    commands: list[list[str]] = []

    def copy(command: list[str], check: bool) -> Done:
        assert not check
        commands.append(command)
        name = value_of(command, "logger.init_args.name")
        shutil.copytree(shown.folder / name, Path(value_of(command, "save_dir")) / name)
        return Done(command, 0)

    monkeypatch.setattr(subprocess, "run", copy)
    return commands


def test_runs_the_shipped_configs_with_this_python(shown: Shown) -> None:
    configs = ["quickstart.yaml", "quickstart_with_data.yaml"]
    assert [command[:6] for command in shown.commands] == [
        [sys.executable, "-m", "crossx", "fit", "--config", config] for config in configs
    ]
    for config, command in zip(configs, shown.commands, strict=True):
        assert f"crossx fit --config {config} --seed_everything 3" in shown.out
        assert command[command.index("--seed_everything") + 1] == "3"


def test_both_folders_have_what_a_run_leaves(shown: Shown) -> None:
    assert sorted(path.name for path in shown.folder.iterdir()) == list(RUNS)
    for name in RUNS:
        folder = shown.folder / name
        found = json.loads((folder / "results.json").read_text())
        assert (found["split"], found["step"], found["seed"]) == ("validation", 4, 3)
        assert set(found["baselines"]) == {"features", "posterior"}
        assert (folder / "checkpoints/last.ckpt").is_file()
        assert (folder / "config.yaml").is_file()
        assert list((folder / "retrieval").glob("*.png"))


def test_shows_the_table_and_the_pictures(shown: Shown) -> None:
    table = shown.out.rpartition("sketch-to-photo retrieval on validation images that no run was trained on")[2]
    free, with_data = (json.loads((shown.folder / name / "results.json").read_text()) for name in RUNS)
    runs = {
        "data-free": free["metrics"],
        "at step 0": free["at_start"],
        "posterior": free["baselines"]["posterior"],
        "features": free["baselines"]["features"],
        "with data": with_data["metrics"],
    }
    assert re.search(r"\s+┃\s+".join(runs), table)
    for name in free["metrics"]:
        numbers = r"\s+│\s+".join(f"{metrics[name]:.3f}" for metrics in runs.values())
        assert re.search(rf"│ {name}\s+│\s+{numbers}\s+│", table), name
    pictures = [Path(line.partition(": ")[2]) for line in table.splitlines() if line.endswith(".png")]
    data_free = shown.folder.resolve() / "data_free"
    assert pictures == [
        data_free / "pairs/step_0000004.png",
        data_free / "retrieval/validation_step_0000004.png",
    ]
    assert all(path.is_file() for path in pictures)
    assert re.search(r"^seconds: data-free \d+, with data \d+$", table, re.MULTILINE)


def test_next_call_takes_the_next_free_folder(replay: list[list[str]], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()  # an empty folder is a free one
    for name in ("out", "out-2", "out-3"):
        before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
        assert main(["quickstart", "--output", str(out)]) == 0
        new = {path for path in tmp_path.rglob("*") if path.is_file()} - set(before)
        assert {path.relative_to(tmp_path).parts[0] for path in new} == {name}
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == list(RUNS)
    assert [value_of(command, "save_dir") for command in replay[-2:]] == [str(tmp_path / "out-3")] * 2


def test_default_folder_is_in_the_current_one(
    replay: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["quickstart"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crossx-quickstart", "crossx-quickstart-2"]
    assert replay[0][replay[0].index("--seed_everything") + 1] == "0"


def test_output_that_is_a_file_is_refused(
    replay: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("mine")
    assert main(["quickstart", "--output", str(tmp_path / "out")]) == 2
    assert "crossx: error: --output: '" in (error := capsys.readouterr().err)
    assert "out' is a file; name a folder" in error
    assert replay == []
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(("failing", "name"), [("quickstart.yaml", "data-free"), ("quickstart_with_data", "with data")])
def test_failing_run_gives_its_status(
    replay: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failing: str,
    name: str,
) -> None:
    copy: Callable[..., Done] = subprocess.run

    def fail(command: list[str], check: bool) -> Done:
        if any(word.startswith(failing) for word in command):
            return Done(command, 7)
        return copy(command, check=check)

    monkeypatch.setattr(subprocess, "run", fail)
    assert main(["quickstart", "--output", str(tmp_path / "out")]) == 7
    captured = capsys.readouterr()
    assert f"the run '{name}' ended with status 7" in captured.err
    assert "pictures to open" not in captured.out
    assert len(replay) == (name == "with data"), "nothing is started after a failure"


def test_shipped_teachers_are_small() -> None:
    sizes = {path.stem: path.stat().st_size for path in package_file("assets").glob("shapes_*.safetensors")}
    assert set(sizes) == {"shapes_photo", "shapes_sketch", "shapes_generator"}
    assert sizes["shapes_photo"] + sizes["shapes_sketch"] <= 1_000_000
    assert sizes["shapes_generator"] <= 1_500_000


@pytest.mark.parametrize(("modality", "low", "high"), [("photo", 0.85, 0.95), ("sketch", 0.75, 0.90)])
def test_shipped_teachers_are_what_their_cards_say(modality: Modality, low: float, high: float) -> None:
    path = f"crossx:assets/shapes_{modality}.safetensors"
    card, dataset = read_card(path), ShapesDataset()
    assert (card.modality, card.classes, card.input_size) == (modality, dataset.classes, dataset.size)
    assert card.split is not None
    assert dataset.split_hash in card.split
    assert card.accuracy is not None
    assert low <= card.accuracy <= high
    images = dataset.images(modality, "validation")
    some = range(0, len(images), 2)
    with torch.no_grad():
        seen = load_teacher(path)(torch.stack([images[i].image for i in some])).logits.argmax(1)
    right = (seen == torch.tensor(images.labels[::2])).double().mean()
    assert float(right) == pytest.approx(card.accuracy, abs=0.05), "on every second of the card's images"
