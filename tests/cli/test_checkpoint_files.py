"""Files that are no checkpoints of a run, named by `--ckpt_path`."""

import argparse
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support.commands import joint_config, write
from support.runs import Teachers

from crossx.cli import main
from crossx.core.errors import InputError
from crossx.core.paths import package_file
from crossx.cotraining.module import CoTrainingModule

TENSORS = {"stem.weight": torch.ones(2)}
LIGHTNING = {"pytorch-lightning_version": "2.6.0", "state_dict": TENSORS}


def content(value: object) -> Callable[[Path], object]:
    return lambda path: torch.save(value, path)


def text(value: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(value)


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"state_dict": np.ones(2)}))


def cut(path: Path) -> None:
    torch.save(LIGHTNING, path)
    path.write_bytes(path.read_bytes()[:-100])


MUST = "must be a checkpoint that crossx has written, such as checkpoints/last.ckpt in the folder of a run"
FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pickle": (pickled, f"not read, because it .*; {MUST}"),
    "a web page": (text(b"<!DOCTYPE html>"), "is a web page, which .*; download the file itself"),
    "a Git LFS pointer": (
        text(b"version https://git-lfs.github.com/spec/v1\n"),
        "is a Git LFS pointer .*`git lfs pull`.*",
    ),
    "nothing": (text(b""), "is empty; copy or download it again"),
    "a text": (text(b"Not found"), f"is a text that starts with 'Not found'; {MUST}"),
    "bytes": (text(bytes(range(256))), f"not read, because it .*; {MUST}"),
    "cut": (cut, "is cut: .*; copy or download it again"),
    "a state dict": (
        content(TENSORS),
        rf"{MUST}, got a mapping with the entries \['stem.weight'\]; a classifier is .*",
    ),
    "a state dict by name": (content({"state_dict": TENSORS}), rf"{MUST}, got .* \['state_dict'\]; a classifier is .*"),
    "a teacher": (
        lambda path: shutil.copy(package_file("assets/shapes_photo.safetensors"), path),
        f"{MUST}, got a mapping with the entries .*; a classifier is named under teachers, see .*",
    ),
    "safetensors": (lambda path: save_file(TENSORS, path), f"{MUST}, got .*"),
    "a list": (content([1, 2]), f"{MUST}, got a list"),
    "a tensor": (content(torch.ones(2)), f"{MUST}, got a Tensor"),
    "options": (
        content({**LIGHTNING, "args": argparse.Namespace(lr=0.1)}),
        f"not read, because it holds an object of 'argparse.Namespace', and a stranger's objects can run code; {MUST}",
    ),
    "a module": (content(torch.nn.Linear(2, 2)), f"not read, because it holds an object of 'torch.nn.*; {MUST}"),
    "a list as a state dict": (content({**LIGHTNING, "state_dict": [1]}), f"{MUST}, got .*"),
    "a strange version": (content({**LIGHTNING, "pytorch-lightning_version": "new"}), f"{MUST}, got .*"),
    "no version": (content({**LIGHTNING, "pytorch-lightning_version": 2}), f"{MUST}, got .*"),
}


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("verb", ["fit", "validate"])
def test_one_line_says_what_the_file_is(
    form: str, verb: str, teachers: Teachers, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.ckpt"
    make, message = FILES[form]
    make(path)
    words = ["--config", write(tmp_path / "c.yaml", joint_config(teachers, tmp_path / "runs"))] if verb == "fit" else []
    assert main([verb, *words, "--ckpt_path", str(path)]) == 2
    error = capfd.readouterr().err
    wanted(error.removeprefix("crossx: error: "), f"--ckpt_path: {path}: ", message)
    assert not (tmp_path / "runs").exists()
    with pytest.raises(InputError) as raised:
        CoTrainingModule.load_from_checkpoint(path)
    wanted(f"{raised.value}\n", f"checkpoint_path: {path}: ", message)


def wanted(error: str, start: str, pattern: str) -> None:
    assert re.fullmatch(re.escape(start) + pattern + "\n", error), error
    assert "weights_only" not in error
    assert "\x1b" not in error


def test_weights_alone_are_not_resumed(joint_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `Trainer.save_checkpoint(..., weights_only=True)` writes them."""
    stored = torch.load(joint_run / "checkpoints/last.ckpt", weights_only=True)
    kept = {key: value for key, value in stored.items() if key not in ("optimizer_states", "lr_schedulers")}
    torch.save(kept, tmp_path / "x.ckpt")
    assert main(["fit", "--ckpt_path", str(tmp_path / "x.ckpt"), "--trainer.accelerator=cpu"]) == 2
    assert capsys.readouterr().err.endswith(
        "x.ckpt: must hold the state of a training to be resumed, lacks ['optimizer_states', 'lr_schedulers']; "
        "`crossx validate` measures it\n"
    )
    words = ["--trainer.accelerator=cpu", "--trainer.precision=32-true"]
    assert main(["validate", "--ckpt_path", str(tmp_path / "x.ckpt"), *words]) == 0
