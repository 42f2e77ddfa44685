"""What figures depend on: contents and not places."""

import ast
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.commands import folder_dataset

from benchmarks.quality import identity
from benchmarks.quality.identity import code_digest, code_of, config_digest, file_digest, run_digest
from crossx.cli import precision
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


@pytest.mark.parametrize("change", ["weights", "split file", "root", "steps", "seed"])
def test_what_figures_depend_on_counts(files: Path, change: str) -> None:
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
    assert config_digest(config(files / "a", **changes)) != known


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.safetensors is missing: delete what was made from it"):
        file_digest(tmp_path / "gone.safetensors")


def package(folder: Path) -> Path:
    """A package with a version, a loss and a drawing."""
    for name, code in (
        ("core/version.py", '__version__ = "1"\n'),
        ("encoding/loss.py", 'def loss(x):\n    """A loss."""\n    return x  # as it is\n'),
        ("reports/pictures/bars.py", "COLOUR = 1\n"),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    return folder


@pytest.mark.parametrize(
    ("name", "text", "counts"),
    [
        ("core/version.py", '__version__ = "2"\n', True),
        ("encoding/loss.py", 'def loss(x):\n    """A loss."""\n    return 2 * x  # as it is\n', True),
        ("encoding/loss.py", 'def loss(x):\n    """Another\n\n    text."""\n\n    return x\n', False),
        ("encoding/more.py", "", True),
        ("reports/pictures/bars.py", "COLOUR = 2\n", False),
    ],
)
def test_code_counts_and_prose_and_drawings_do_not(tmp_path: Path, name: str, text: str, counts: bool) -> None:
    known = code_digest(package=package(tmp_path))
    (tmp_path / name).write_text(text)
    assert (code_digest(package=tmp_path) != known) is counts


@pytest.mark.parametrize("name", identity.DRAWINGS)
def test_parts_that_do_not_count_exist(name: str) -> None:
    assert (identity.PACKAGE / name).exists()


def test_texts_that_are_no_docstrings_count() -> None:
    assert code_of('"""Module."""\n\nA = "#1"  # one\n') == 'A = "#1"'


def test_the_gallery_counts(tmp_path: Path) -> None:
    """By its split file and class map, also where the config names neither."""
    content = folder_dataset(tmp_path)

    def found() -> str:
        return config_digest({"data": {"init_args": {"dataset": content}}})

    known = found()
    assert found() == known
    assert config_digest({"dataset": content, "data": {}}) != config_digest({"data": {}})
    split = tmp_path / "split.tsv"
    split.write_text(split.read_text().replace("2:4\t4:6", "2:5\t5:6"))
    other_split = found()
    classes = tmp_path / "map.json"
    classes.write_text(classes.read_text().replace("{", '{"groups": {}, ', 1))
    assert len({known, other_split, found()}) == 3


def test_a_change_of_the_code_changes_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ("fit", "--config", "teachers/shapes_photo.yaml")
    known, without = run_digest.__wrapped__(argv, with_code=True), run_digest.__wrapped__(argv, with_code=False)
    monkeypatch.setattr(identity, "known_code_digest", lambda: "other code")
    assert run_digest.__wrapped__(argv, with_code=True) != known
    assert run_digest.__wrapped__(argv, with_code=False) == without != known


def test_code_that_changes_during_a_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ("fit", "--config", "teachers/shapes_photo.yaml")
    identity.check_unchanged(argv, with_code=True)
    monkeypatch.setattr(identity, "code_digest", lambda: "other code")
    with pytest.raises(InputError, match="a config or the code has been changed during a run"):
        identity.check_unchanged(argv, with_code=True)
    identity.check_unchanged(argv, with_code=False)


def test_a_config_that_changes_during_a_run_is_refused_also_where_the_code_does_not_count(tmp_path: Path) -> None:
    own = tmp_path / "teacher.yaml"
    own.write_text("include: [teachers/shapes_photo.yaml]\n")
    argv = ("fit", "--config", str(own))
    identity.check_unchanged(argv, with_code=False)
    own.write_text("include: [teachers/shapes_photo.yaml]\ntrainer: {max_steps: 3}\n")
    with pytest.raises(InputError, match="a config or the code has been changed during a run"):
        identity.check_unchanged(argv, with_code=False)


def test_the_machine_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that only emulates bfloat16 trains in float32; results from elsewhere are current there all the same."""
    teachers = ("--teachers.photo=photo", "--teachers.sketch=sketch")
    argv = ("fit", "--config", "cifar_tuberlin.yaml", *teachers)
    digests = set()
    for fast in (True, False):
        monkeypatch.setattr(precision, "computes_bfloat16", lambda fast=fast: fast)
        digests.add(run_digest.__wrapped__(argv, with_code=True))
    assert len(digests) == 1


class Parses:
    """Garbage whose finalizer parses a source text."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        ast.parse("1 + 2 * (3 + 4)")


@pytest.fixture
def hurried_collector() -> Iterator[None]:
    threshold = gc.get_threshold()
    gc.set_threshold(50)
    yield
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("hurried_collector")
def test_a_collection_amid_a_parse_harms_none() -> None:
    sources = [path.read_text() for path in sorted(identity.PACKAGE.rglob("*.py"))[:50]]
    for source in sources:
        for _ in range(20):
            Parses()
        assert compile(identity._tree(source), "source", "exec").co_code == compile(source, "source", "exec").co_code
    assert gc.isenabled()
