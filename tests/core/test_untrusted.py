import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import crossx.cotraining.module  # noqa: F401 - loads what the tests name
from crossx.core.errors import InputError
from crossx.core.untrusted import refuse_imports
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
