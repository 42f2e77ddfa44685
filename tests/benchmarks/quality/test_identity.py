"""What figures depend on: contents and not places."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.quality.identity import config_digest, file_digest
from crossx.core.errors import InputError


def data(folder: Path, root: str = "cifar10", workers: int = 0) -> dict[str, Any]:
    return {"init_args": {"split": str(folder / "split.tsv"), "photos": {"root": root}, "workers": workers}}


def config(folder: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any config value
    content: dict[str, Any] = {
        "seed_everything": 0,
        "teachers": {"photo": "photo"},
        "model": {"init_args": {"discriminator": str(folder / "other.safetensors"), "output": str(folder / "made")}},
        "data": data(folder),
        "trainer": {"max_steps": 10, "logger": {"save_dir": "here"}, "default_root_dir": None},
        "ckpt_path": None,
    }
    return {**content, **changes}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        (folder / "other.safetensors").write_bytes(b"weights")
        (folder / "split.tsv").write_text("split")
    return tmp_path


def test_places_and_speed_do_not_count(files: Path) -> None:
    known = config_digest(config(files / "a"))
    assert config_digest(config(files / "b")) == known
    trainer = {"max_steps": 10, "logger": None, "enable_progress_bar": False}
    elsewhere = data(files / "a", "/else/cifar10", 8)
    assert config_digest(config(files / "a", ckpt_path="last.ckpt", trainer=trainer, data=elsewhere)) == known


@pytest.mark.parametrize("change", ["weights", "split file", "root", "steps", "seed", "version"])
def test_what_figures_depend_on_counts(files: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = config_digest(config(files / "a"))
    changes: dict[str, Any] = {}
    match change:
        case "weights":
            (files / "a" / "other.safetensors").write_bytes(b"others")
        case "split file":
            (files / "a" / "split.tsv").write_text("another")
        case "root":
            changes = {"data": data(files / "a", "other/cifar10")}
        case "steps":
            changes = {"trainer": {"max_steps": 11}}
        case "seed":
            changes = {"seed_everything": 1}
        case "version":
            monkeypatch.setattr("benchmarks.quality.identity.__version__", "other")
    assert config_digest(config(files / "a", **changes)) != known


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.safetensors is missing: delete what was made from it"):
        file_digest(tmp_path / "gone.safetensors")
