"""The pen of a sketch teacher through the command: where real sketches are redrawn, and where they are not."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import edit, joint_config, part, write
from support.runs import CLASSES, Teachers

from crossx.cli import main
from crossx.cli.training import build, train
from crossx.data.redrawn import RedrawnSketches
from crossx.pairs.datamodule import SyntheticPairsDataModule
from crossx.pixels.pen import FINER, Pen
from crossx.teachers.pens import write_pen
from crossx.teachers.teacher import read_card

PEN = Pen(margin=0.1, line_width=0.05, darkness=0.7, white_on_black=True)


@pytest.fixture
def with_pen(teachers: Teachers, tmp_path: Path) -> Teachers:
    """The teachers, the one of sketches with a pen on its card."""
    copy = tmp_path / "sketch.safetensors"
    copy.write_bytes(Path(teachers.sketch).read_bytes())
    assert write_pen(str(copy), PEN) == copy
    return Teachers(teachers.photo, str(copy))


def data_of(content: dict[str, Any], path: Path, *words: str) -> SyntheticPairsDataModule:
    data = build(["validate", "--config", write(path, content), *words]).datamodule
    assert isinstance(data, SyntheticPairsDataModule)
    return data


def test_the_card_s_pen_redraws_the_sketches_of_a_run(with_pen: Teachers, teachers: Teachers, tmp_path: Path) -> None:
    plain = data_of(joint_config(teachers, tmp_path / "runs"), tmp_path / "a.yaml").images("validation")
    photos, sketches = data_of(joint_config(with_pen, tmp_path / "runs"), tmp_path / "b.yaml").images("validation")
    assert isinstance(sketches, RedrawnSketches)
    assert torch.equal(photos.image(1), plain[0].image(1))
    assert torch.equal(sketches.image(1), PEN.redraw(plain[1].read(1, FINER)))


def test_a_config_replaces_the_pen(with_pen: Teachers, tmp_path: Path) -> None:
    content = joint_config(with_pen, tmp_path / "runs")
    edit(content, "data.pen", {"darkness": 0.5})
    assert data_of(content, tmp_path / "a.yaml").pen == Pen(darkness=0.5)
    assert data_of(content, tmp_path / "a.yaml", "--data.pen.margin", "0.2").pen == Pen(margin=0.2, darkness=0.5)
    edit(content, "data.pen", {})
    data = data_of(content, tmp_path / "b.yaml")
    assert data.pen == Pen()
    assert not isinstance(data.images("validation")[1], RedrawnSketches)


def test_a_trained_run_is_measured_with_a_pen_that_was_chosen_later(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Data-free training reads no real sketch, so that its checkpoint goes with any pen."""
    copy = tmp_path / "sketch.safetensors"
    copy.write_bytes(Path(teachers.sketch).read_bytes())
    content = joint_config(Teachers(teachers.photo, str(copy)), tmp_path / "runs")
    content["trainer"]["max_steps"] = 2
    cli = train(["fit", "--config", write(tmp_path / "c.yaml", content)])
    (checkpoint,) = (tmp_path / "runs").rglob("last.ckpt")
    hash_before = cli.model.teachers.sketch.hash
    write_pen(str(copy), PEN)
    cli = train(["validate", "--ckpt_path", str(checkpoint)])
    assert cli.datamodule.pen == PEN
    assert cli.model.teachers.sketch.hash == hash_before
    found = {path.parent.parent.name: json.loads(path.read_text()) for path in tmp_path.rglob("results.json")}
    assert {name: result["measured"]["pen"] for name, result in found.items()}["validate"] == PEN.to_mapping()
    assert [result["measured"]["pen"] for name, result in found.items() if name != "validate"] == [None]
    assert "sketches redrawn with the pen margin 0.1" in capsys.readouterr().out


def test_a_teacher_that_is_trained_on_redrawn_sketches_carries_their_pen(tmp_path: Path) -> None:
    output = tmp_path / "t.safetensors"
    content = {
        "model": part("ClassifierModule", output=str(output), input_size=16, arguments={"widths": [8, 8]}),
        "data": part(
            "LabelledImagesDataModule",
            dataset=part("ShapesDataset", size=16, train=2, validation=2, test=2),
            modality="sketch",
            batch_size=8,
            pen=PEN.to_mapping(),
        ),
        "trainer": {"max_steps": 2, "accelerator": "cpu", "precision": "32-true", "default_root_dir": str(tmp_path)},
    }
    edit(content, "trainer.logger", part("lightning.pytorch.loggers.CSVLogger", save_dir=str(tmp_path / "runs")))
    cli = train(["fit", "--config", write(tmp_path / "c.yaml", content)])
    assert read_card(output).pen == PEN
    assert read_card(output).classes == tuple(CLASSES)
    (image,) = [cli.datamodule.images("train")[0].image]
    assert image[:, 0, 0].max() == 0  # the ground is black


@pytest.mark.parametrize(
    ("pen", "message"),
    [
        ({"margin": 0.6}, "pen.margin: must be in [0, 0.5), got 0.6"),
        ({"line_with": 0.1}, "'pen.line_with' is not an option; legal for Pen: margin, line_width"),
    ],
)
def test_mistakes(
    pen: object, message: str, teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = joint_config(teachers, tmp_path / "runs")
    edit(content, "data.pen", pen)
    assert main(["validate", "--config", write(tmp_path / "c.yaml", content)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_photos_have_no_pen(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data.init_args.pen.margin", "0.1", "--trainer.max_steps", "1"]
    assert main(["fit", "--config", "teachers/shapes_photo.yaml", *words]) == 2
    assert "pen: must be null where modality is photo" in capsys.readouterr().err
