import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from jsonargparse._util import import_object

import crossx.cotraining.module  # noqa: F401 - loads what the tests name
from crossx.core.errors import InputError
from crossx.core.paths import resolve
from crossx.core.untrusted import as_paths, refuse_imports
from crossx.encoding.module import EncoderModule


class OwnModule(EncoderModule):
    """What a user's package adds, loaded by the user."""


LOADED = [
    "crossx.CoTrainingModule",
    "crossx.cotraining.module.CoTrainingModule",
    "torch.optim.Adam",
    "torch.optim.lr_scheduler.CosineAnnealingLR",
    f"{__name__}.OwnModule",
]
HARMLESS = ["photo.safetensors", "runs/a.b", "0.5", "supcon", "", "no_such_package.Name"]
REFUSED = [
    "os.system",  # loaded, but no class
    "pathlib.Path",  # a class, but neither ours nor an optimizer
    "torch.nn.Linear",
    "crossx.core.untrusted.read_checkpoint",
    "crossx.core.untrusted.Path",  # ours only in name
    "crossx.no_such_module.Name",
    "this.s",  # the standard library's, not loaded
    "__main__.main",
]


@pytest.mark.parametrize("name", [*LOADED, *HARMLESS])
def test_lets_pass_what_imports_nothing(name: str) -> None:
    refuse_imports({"model": {"class_path": name}}, "x.ckpt")


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(
    "hide",
    [
        lambda name: name,
        lambda name: {"a": [{"class_path": name}]},
        lambda name: {name: 1},
        lambda name: (1, (name,)),
        lambda name: json.dumps({"class_path": name}),
        lambda name: json.dumps({"class_path": json.dumps([name])}),
    ],
)
def test_refuses_what_is_not_loaded_wherever_it_stands(name: str, hide: Callable[[str], object]) -> None:
    with pytest.raises(InputError, match=rf"^x\.ckpt names {re.escape(repr(name))}, which is not loaded"):
        refuse_imports({"model": hide(name), "other": [torch.zeros(1), None, 1.5]}, "x.ckpt")


def test_names_all_that_is_not_loaded() -> None:
    config = {"model": ["os.system", "this.s", "os.system"]}
    with pytest.raises(InputError, match=r"names 'os\.system', 'this\.s', which are not loaded; .*import them"):
        refuse_imports(config, "x.ckpt")


def test_refuses_what_stands_in_a_named_file(tmp_path: Path) -> None:
    (tmp_path / "inner.txt").write_text("class_path: os.system\n")
    with pytest.raises(InputError, match=r"'os\.system'"):
        refuse_imports({"model": str(tmp_path / "inner.txt")}, "x.ckpt")


def test_what_the_user_names_too_is_the_user_s_choice() -> None:
    config = {"model": {"class_path": "torch.nn.Linear"}}
    refuse_imports(config, "x.ckpt", named={"torch.nn.Linear"})
    with pytest.raises(InputError, match=r"'torch\.nn\.Linear'"):
        refuse_imports(config, "x.ckpt", named={"torch.nn"})


@pytest.fixture
def traps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a module `trap`, which must never be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "trap.py").write_text("raise SystemError('trap was imported')\n")
    return tmp_path


@pytest.mark.parametrize("name", ["test.tsv", "random.tsv", "trap.json", "trap.safetensors", "os.path.yaml"])
def test_names_of_files_are_paths_and_can_be_no_modules(name: str, traps: Path) -> None:
    written = {"data": {"init_args": {"split": name, "more": [name, (name, 3)]}}}
    safe = as_paths(written)
    assert safe == {"data": {"init_args": {"split": f"./{name}", "more": [f"./{name}", (f"./{name}", 3)]}}}
    refuse_imports(safe, "x.ckpt")
    with pytest.raises((ImportError, ValueError)):
        import_object(f"./{name}")  # what a parser does where it expects a class
    assert "trap" not in sys.modules
    (traps / name).write_text("content")
    assert resolve(safe["data"]["init_args"]["split"], "split").samefile(traps / name)


def test_any_existing_file_or_folder_is_a_path(traps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (traps / "trap.photos").mkdir()
    monkeypatch.setenv("CROSSX_DATA", str(traps / "data"))
    (traps / "data/trap.d").mkdir(parents=True)
    assert as_paths(["trap.photos", "trap.d", "trap.none"]) == ["./trap.photos", "./trap.d", "trap.none"]


def test_a_file_with_the_name_of_a_class_opens_no_door(traps: Path) -> None:
    """Who unpacks a stranger's checkpoint may unpack a file `os.system`, too."""
    (traps / "os.system").write_text("")
    (traps / "trap.Evil").write_text("")
    assert as_paths({"class_path": "os.system", "optimizer": "trap.Evil"}) == {
        "class_path": "./os.system",
        "optimizer": "./trap.Evil",
    }
    for name in ("./os.system", "./trap.Evil"):
        with pytest.raises((ImportError, ValueError)):
            import_object(name)


@pytest.mark.parametrize("name", [*LOADED, *HARMLESS, "os.system", "this.s"])
@pytest.mark.usefixtures("traps")
def test_everything_else_stays_as_it_is(name: str) -> None:
    assert as_paths({"a": [name, None, 0.5], name: 1}) == {"a": [name, None, 0.5], name: 1}
    assert as_paths("trap.json", named={"trap.json"}) == "trap.json"
