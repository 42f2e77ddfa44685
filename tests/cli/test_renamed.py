"""What crossx 0.1.0 left gets one line that says what it is and how to go on."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import write

from crossx.cli import main
from crossx.cli.configs import shipped_configs
from crossx.cli.renamed import CLASSES, CONFIGS, KEYS, SECTIONS

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["fit", *words]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("crossx: error: ")]
    return line.removeprefix("crossx: error: ")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"init_args": {"reconstruction": {"init_args": {"photo_generator": "UpsamplingGenerator"}}}},
            "model.reconstruction.photo_generator: this is of crossx 0.1.0: `photo_generator` is `generator` now",
        ),
        (
            {
                "init_args": {
                    "terms": {"x": {"loss": {"class_path": "crossx.reconstruction.losses.TotalVariationLoss"}}}
                }
            },
            "model.terms.x.loss: this is of crossx 0.1.0: `TotalVariationLoss` went in 0.2.0; leave it out",
        ),
        (
            {"init_args": {"terms": {"x": {"loss": {"class_path": "InfoNCELoss", "init_args": {"reduce": "local"}}}}}},
            "model.terms.x.loss.reduce: this is of crossx 0.1.0: `reduce` went in 0.2.0; leave it out",
        ),
    ],
)
def test_config(tmp_path: Path, capsys: pytest.CaptureFixture[str], model: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "old.yaml", {"model": {"class_path": "CoTrainingModule", **model}})
    assert refusal(capsys, "--config", path) == f"{path}: {message}; CHANGELOG.md has the table of old and new names"


def test_section(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "old.yaml", {"checkpoint": {"every_n_steps": 3}})
    assert "checkpoint: this is of crossx 0.1.0: `checkpoint` is `reports.run` now" in refusal(capsys, "--config", path)


def test_option(capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(capsys, "--config", "quickstart.yaml", "--model.encoding.photo_encoder.dim", "3")
    assert "this is of crossx 0.1.0: `photo_encoder` is `encoder` now" in message


def test_name_of_a_shipped_config(capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(capsys, "--config", "baselines/heads")
    assert message.startswith(
        "--config: 'baselines/heads': this config is of crossx 0.1.0, and is model/head.yaml now; CHANGELOG.md"
    )


def test_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "old.ckpt"
    torch.save({"crossx": {"version": "0.1.0", "config": {"trainer": {"precision": "bf16-mixed"}}}}, path)
    message = refusal(capsys, "--ckpt_path", str(path))
    assert re.match(
        rf"--ckpt_path: {path} is a checkpoint of crossx 0\.1\.0, and this is \d.*: measure it with", message
    )


def test_new_names_exist_and_old_ones_do_not() -> None:
    for old, new in CONFIGS.items():
        assert (shipped_configs() / new).is_file()
        assert not (shipped_configs() / old).exists()


def test_changelog_has_the_same_table() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (?:`([^`]+)`|(gone)) \|$", CHANGELOG.read_text(), re.MULTILINE)
    table = {old: new or gone for old, new, gone in rows}
    assert table == {**CONFIGS, **KEYS, **SECTIONS, **CLASSES}
