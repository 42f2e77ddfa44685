"""Files as users have them: with byte order marks, with any names, and with classes that lack images."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.commands import Config, folder_dataset, part, write
from support.runs import SIZE

from crossx.classification.module import ClassifierModule
from crossx.cli import main
from crossx.cli.training import parse
from crossx.core.untrusted import read_checkpoint

MARK = b"\xef\xbb\xbf"


@pytest.fixture
def classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """A classifier whose split, class map and output have the names of modules of Python."""
    monkeypatch.chdir(tmp_path)
    dataset = folder_dataset(tmp_path)
    Path("split.tsv").rename("test.tsv")
    Path("map.json").rename("this.json")
    dataset["init_args"] |= {"split": "test.tsv", "class_map": "this.json"}
    monkeypatch.delitem(sys.modules, "this", raising=False)
    yield {
        "model": part("ClassifierModule", output="random.safetensors", input_size=SIZE, arguments={"widths": [8]}),
        "data": part("LabelledImagesDataModule", dataset=dataset, modality="photo", batch_size=2),
        "trainer": {
            "accelerator": "cpu",
            "precision": "32-true",
            "max_steps": 2,
            "max_epochs": -1,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "logger": part("lightning.pytorch.loggers.CSVLogger", save_dir="runs", name="r", version=0),
        },
    }
    assert "this" not in sys.modules, "a checkpoint has imported a module"


def test_a_checkpoint_may_name_files_like_modules(
    classifier: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", write(tmp_path / "c.yaml", classifier)]) == 0
    last = "runs/r/version_0/checkpoints/last.ckpt"
    words = ["validate", "--ckpt_path", last, "--trainer.accelerator", "cpu", "--trainer.precision", "32-true"]
    assert main(words) == 0
    assert read_checkpoint(Path(last), "x")["hyper_parameters"]["output"] == "random.safetensors"
    assert ClassifierModule.load_from_checkpoint(last).output == "./random.safetensors"
    Path("test.tsv").rename("moved.tsv")
    capsys.readouterr()
    assert main(words) == 2
    assert "split: './test.tsv' does not exist" in capsys.readouterr().err


def test_a_teacher_is_given_no_class_that_it_never_saw(
    classifier: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Path("test.tsv").read_text().splitlines()
    folder = table[1].split("\t")[1]
    table[1] = f"photo\t{folder}\t6\t-\t2:4\t4:6"
    Path("test.tsv").write_text("\n".join(table))
    assert main(["fit", "--config", write(tmp_path / "c.yaml", classifier)]) == 2
    assert f"classes: must have a training photo each, got none of {folder!r}" in capsys.readouterr().err
    assert not Path("random.safetensors").exists()


def test_a_class_whose_images_lie_a_folder_deeper(
    classifier: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = next(Path("data/photo").iterdir())
    (folder / "images").mkdir()
    for path in folder.glob("*.jpg"):
        path.rename(folder / "images" / path.name)
    assert main(["fit", "--config", write(tmp_path / "c.yaml", classifier)]) == 2
    error = capsys.readouterr().err.strip()
    assert f"class {folder.name!r}: " in error
    assert f"{folder}/images (name that folder)" in error
    assert "\n" not in error.splitlines()[-1]


def test_byte_order_marks_in_configs_and_cards(tmp_path: Path) -> None:
    inner = tmp_path / "inner.yaml"
    inner.write_bytes(MARK + b"seed_everything: 7\n")
    outer = tmp_path / "outer.yaml"
    outer.write_bytes(MARK + yaml.safe_dump({"include": ["quickstart.yaml", "inner.yaml"]}).encode())
    assert parse(["fit", "--config", str(outer)])["seed_everything"] == 7


def test_byte_order_marks_in_the_data_of_a_run(classifier: Config, tmp_path: Path) -> None:
    for name in ("test.tsv", "this.json"):
        Path(name).write_bytes(MARK + Path(name).read_bytes())
    assert json.loads(Path("this.json").read_text(encoding="utf-8-sig"))
    config = Path(write(tmp_path / "c.yaml", classifier))
    config.write_bytes(MARK + config.read_bytes())
    assert main(["fit", "--config", str(config)]) == 0
    assert Path("random.safetensors").exists()
