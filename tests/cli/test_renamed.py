"""What crossx 0.1.0 left gets one line that says what it is and how to go on."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.commands import write

from crossx.cli import main
from crossx.cli.configs import shipped_configs
from crossx.cli.renamed import (
    ARGUMENTS,
    CLASSES,
    CONFIGS,
    REMOVED_ARGUMENTS,
    REMOVED_CLASSES,
    SECTIONS,
    refuse_old_names,
)
from crossx.core.errors import InputError

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
            "model.terms.x.loss: this is of crossx 0.1.0: `TotalVariationLoss` went in 0.2.0: "
            "use `BatchNormStatisticsLoss`",
        ),
        (
            {"init_args": {"terms": {"x": {"loss": {"class_path": "InfoNCELoss", "init_args": {"reduce": "local"}}}}}},
            "model.terms.x.loss.reduce: this is of crossx 0.1.0: `reduce` went in 0.2.0: leave it out; batches of all "
            "processes count together",
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
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", CHANGELOG.read_text(), re.MULTILINE)
    new = {old: f"`{name}`" for old, name in {**CONFIGS, **ARGUMENTS, **SECTIONS, **CLASSES}.items()}
    gone = {old: f"gone: {instead}" for old, instead in {**REMOVED_ARGUMENTS, **REMOVED_CLASSES}.items()}
    assert dict(rows) == {**new, **gone}


JOINT = """
model:
  class_path: CoTrainingModule
  init_args:
    schedule: {warmup: 220, generator_steps: 1, encoder_steps: 6}
    pairs:
      class_path: Replay
      init_args: {source: {class_path: LivePairs}, share: 0.5, size: 3072}
    reconstruction:
      class_path: ReconstructionModule
      init_args:
        photo_generator: {class_path: UpsamplingGenerator, init_args: {size: 32, width: 32}}
"""
WITH_DATA = """
seed_everything: 0
model:
  class_path: EncoderModule
  init_args:
    pairs: {class_path: RealPairs}
    photo_encoder: {class_path: PosteriorEncoder, init_args: {share: 0.97, dim: 64, hidden: 512}}
    sketch_encoder: {class_path: PosteriorEncoder, init_args: {share: 0.97, dim: 64, hidden: 512}}
"""
QUERIES = """
data:
  init_args:
    dataset:
      class_path: JoinedData
      init_args:
        sketches: {class_path: Restyled, init_args: {reader: {class_path: QuickDrawStrokes}, margin: 0.15}}
"""
WANDB = """
trainer:
  logger+: {class_path: lightning.pytorch.loggers.WandbLogger, init_args: {project: crossx}}
wandb: {init_timeout: 60}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (JOINT, "model.pairs: this is of crossx 0.1.0: `pairs` is `replay` now"),
        (WITH_DATA, "model.photo_encoder: this is of crossx 0.1.0: `photo_encoder` is `encoder` now"),
        (
            QUERIES,
            "data.dataset.sketches: this is of crossx 0.1.0: `Restyled` went in 0.2.0: name its reader alone, and give "
            "the style as `data.pen`, widths as shares of the side",
        ),
        (WANDB, "wandb: this is of crossx 0.1.0: `wandb` is `reports.wandb` now"),
    ],
)
def test_shipped_configs_of_old(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(text)
    see = "CHANGELOG.md has the table of old and new names"
    assert refusal(capsys, "--config", str(path)) == f"{path}: {message}; {see}"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("{loss: IntraModalLoss}", "use `SupConLoss` or `PosteriorMatchingLoss`"),
        ("{augmentations: [Collage]}", "`Collage` is `PasteOnto` now"),
        ("{augmentations: [{class_path: PasteOnto, init_args: {stock: 8}}]}", "`stock` is `num_backgrounds` now"),
        (
            "{encoder: {class_path: crossx.encoding.CompletedPosteriorEncoder, init_args: {slope: 1}}}",
            "`slope` is `similarity_weight` now",
        ),
        ("{reconstruction: {meta_rate: 0.1}}", "`meta_rate` went in 0.2.0: leave it out"),
        ("{sketch_generator: {class_path: DeepUpsamplingGenerator, init_args: {channels: 1}}}", "one channel"),
        ("{loss: {class_path: BatchNormStatisticsLoss, init_args: {momentum: 0.9}}}", "use a larger batch"),
    ],
)
def test_every_kind_of_old_name(model: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        refuse_old_names({"model": yaml.safe_load(model)}, "old.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "model: {loss: {class_path: my.L, init_args: {reduce: sum}}}",
        "model: {loss: my_package.DistillationLoss}",
        "model: {loss: {class_path: my_package.DistillationLoss}}",
        "trainer: {logger: {class_path: CSVLogger, init_args: {save_dir: Collage, name: DistillationLoss}}}",
        "model: {class_path: my.Module, init_args: {photo_encoder: {dim: 3}, encoding: {photo_encoder: {dim: 3}}}}",
        "model: {class_path: my.Module, init_args: {pairs: {source: here}, stages: {a: {photo_encoder: 3}}}}",
    ],
)
def test_own_names_of_users_pass(text: str) -> None:
    refuse_old_names(yaml.safe_load(text), "mine.yaml")
