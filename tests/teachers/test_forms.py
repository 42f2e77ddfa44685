"""Every row of the tables in docs/how-to/teachers.md: forms of weights that are read, and that are refused.

More than 300 lines, because each row of the tables is written out here, and the page is compared with all of them.
"""

import argparse
import json
import os
import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.networks.build import build_network
from crossx.teachers.teacher import FrozenTeacher, load_teacher

PAGE = (Path(__file__).parents[2] / "docs/how-to/teachers.md").read_text()
CARD: dict[str, Any] = {
    "modality": "sketch",
    "network": "SmallResNet",
    "arguments": {"widths": [8]},
    "classes": ["a", "b"],
    "input_size": 8,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
}


def rows(heading: str) -> dict[str, str]:
    """First and second column of the table with a heading."""
    table = PAGE.partition(f"| weights | {heading} |\n|---|---|\n")[2].partition("\n\n")[0]
    cells = [line.strip("| ").split(" | ", 1) for line in table.splitlines()]
    return {form: result.strip("` ") for form, result in cells}


def state_dict(classes: int = 2) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return build_network("SmallResNet", {"widths": [8]}, classes).state_dict()


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def load(folder: Path, name: str, **changes: object) -> FrozenTeacher:
    (folder / "card.yaml").write_text(yaml.safe_dump({**CARD, "weights": name, **changes}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load_teacher(folder / "card.yaml")


def without(ending: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state_dict().items() if not name.endswith(ending)}


def parameters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors without buffers, as averages of weights hold them."""
    names = dict(build_network("SmallResNet", {"widths": [8]}, 2).named_parameters())
    return {name: tensor for name, tensor in tensors.items() if name in names}


def cast(kind: torch.dtype) -> dict[str, Tensor]:
    return {name: tensor.to(kind) if tensor.is_floating_point() else tensor for name, tensor in state_dict().items()}


def lightning_checkpoint() -> dict[str, Any]:
    net = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return {
        "epoch": 1,
        "pytorch-lightning_version": "2.6.0",
        "state_dict": {**prefixed("net.", state_dict()), "criterion.weight": torch.ones(2)},
        "optimizer_states": [optimizer.state_dict()],
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5)}},
        "hyper_parameters": {"lr": 0.1},
    }


OPTIONS = argparse.Namespace(lr=0.1, output=Path("runs"), inner=argparse.Namespace(seed=np.int64(1)))
LOSSES = {"criterion.weight": torch.ones(2), "loss_fn.pos_weight": torch.ones(2), "class_weights": torch.ones(2)}
ENTRIES = ("state_dict", "model", "net", "model_state_dict", "state_dict_ema", "anything")
PREFIXES = (
    "module.",
    "model.",
    "net.",
    "backbone.",
    "encoder.",
    "_orig_mod.",
    "module._orig_mod.model.",
    "classifier.",
)

READ: dict[str, list[object]] = {
    "a state dict": [state_dict()],
    "a checkpoint with a state dict under": [
        {"run": {"nested": {"model": state_dict()}}},
        *({"epoch": 3, "optimizer": {}, key: state_dict()} for key in ENTRIES),
    ],
    "a checkpoint of Lightning": [lightning_checkpoint()],
    "a checkpoint with options": [
        {"state_dict": state_dict(), "args": OPTIONS, "best": np.float64(0.5), "random": np.random.get_state()}
    ],
    "a prefix before all names": [prefixed(prefix, state_dict()) for prefix in PREFIXES],
    "a wrapper around a part": [
        {name.replace("stages.", "stages.module."): tensor for name, tensor in state_dict().items()},
        {name.replace("stages.", "stages._orig_mod."): tensor for name, tensor in state_dict().items()},
        {name if name.startswith("head") else f"backbone.{name}": tensor for name, tensor in state_dict().items()},
    ],
    "no `num_batches_tracked`": [without("num_batches_tracked")],
    "`total_ops`": [
        {**state_dict(), "total_ops": torch.zeros(1), "stem.0.total_params": torch.zeros(1)},
        {"n_averaged": torch.tensor(3), **prefixed("module.", state_dict())},
    ],
    "tensors of a loss": [
        {**state_dict(), **LOSSES},
        {**prefixed("model.", state_dict()), **LOSSES, "center_loss.centers": torch.ones(2, 8)},
        prefixed("module.", {**prefixed("model.", state_dict()), **LOSSES}),
    ],
    "the same weights twice": [
        {"state_dict": state_dict(), "state_dict_ema": state_dict()},
        {"state_dict": state_dict(), "ema": parameters(state_dict())},
        {"state_dict": state_dict(), "ema": {"shadow_params": list(parameters(state_dict()).values())}},
        {"state_dict": state_dict(), "running": [torch.ones(2), torch.ones(3)]},
        {**prefixed("model.", state_dict()), **prefixed("ema.", state_dict())},
    ],
    "float8, float16, bfloat16 or float64": [
        *(cast(kind) for kind in (torch.float16, torch.bfloat16, torch.float64)),
        {**state_dict(), "head.bias": state_dict()["head.bias"].to(torch.float8_e4m3fn)},
    ],
}


@pytest.mark.parametrize("form", READ)
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".th", ".bin", ".ckpt", ".pth.tar"])
def test_forms_that_are_read(form: str, suffix: str, tmp_path: Path) -> None:
    precise = not form.startswith("float")
    expected = build_network("SmallResNet", {"widths": [8]}, 2).eval()
    expected.load_state_dict(state_dict())
    x = torch.rand(2, 3, 8, 8)
    for i, content in enumerate(READ[form]):
        torch.save(content, tmp_path / f"{i}{suffix}")
        teacher = load(tmp_path, f"{i}{suffix}")
        torch.testing.assert_close(teacher(x).logits, expected(x * 2 - 1), atol=1e-5 if precise else 0.05, rtol=0.01)


def old_form(path: Path) -> None:
    torch.save(state_dict(), path, _use_new_zipfile_serialization=False)


def other_ending(path: Path) -> None:
    save_file(state_dict(), path)


FILES_READ = {"a state dict of torch before 1.6": old_form, "a safetensors file with another ending": other_ending}


@pytest.mark.parametrize("form", FILES_READ)
def test_files_that_are_read(form: str, tmp_path: Path) -> None:
    for name in ("w.bin", "w.safetensors", "weights"):
        FILES_READ[form](tmp_path / name)
        found = load(tmp_path, name).network.state_dict()
        for key, tensor in state_dict().items():
            assert torch.equal(found[key], tensor), key


def saved(content: object) -> Callable[[Path], None]:
    return lambda path: torch.save(content, path)


def bytes_of(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def cut(share: float, old: bool = False) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        torch.save(state_dict(), path, _use_new_zipfile_serialization=not old)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return write


def cut_safetensors(path: Path) -> None:
    save_file(state_dict(), path)
    path.write_bytes(path.read_bytes()[:-10])


def changed_bytes(path: Path) -> None:
    marked = torch.full((100,), 0.123)
    torch.save({"state_dict": marked}, path)
    content = path.read_bytes()
    assert marked.numpy().tobytes() in content
    path.write_bytes(content.replace(marked.numpy().tobytes(), b"x" * 400))


def torchscript(path: Path) -> None:
    network = build_network("SmallResNet", {"widths": [8]}, 2).eval()
    network.load_state_dict(state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and people have such files
        torch.jit.save(torch.jit.trace(network, torch.rand(1, 3, 8, 8)), path)  # type: ignore[no-untyped-call]


def exported(path: Path) -> None:
    torch.export.save(torch.export.export(nn.Linear(2, 2), (torch.ones(1, 2),)), path)


def numpy_archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.ones(3))


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({name: tensor.numpy() for name, tensor in state_dict().items()}))


def doubled() -> dict[str, Tensor]:
    return {name: 2 * tensor for name, tensor in state_dict().items()}


def shards(path: Path, ending: str) -> list[str]:
    """Save weights in two files; returns their names."""
    names = [f"model-{i:05}-of-00002.{ending}" for i in (1, 2)]
    for i, name in enumerate(names):
        part = {key: tensor for j, (key, tensor) in enumerate(state_dict().items()) if j % 2 == i}
        save_file(part, path.parent / name) if ending == "safetensors" else torch.save(part, path.parent / name)
    return names


def shard(ending: str) -> Callable[[Path], str]:
    return lambda path: shards(path, ending)[0]


def index(ending: str) -> Callable[[Path], str]:
    def write(path: Path) -> str:
        names = shards(path, ending)
        content = {"metadata": {"total_size": 3}, "weight_map": {"stem.0.weight": names[1], "head.bias": names[0]}}
        (path.parent / f"model.{ending}.index.json").write_text(json.dumps(content, indent=2))
        return f"model.{ending}.index.json"

    return write


def filled(name: str, value: float) -> dict[str, Tensor]:
    tensors = state_dict()
    return {**tensors, name: torch.full_like(tensors[name], value)}


REFUSED: dict[str, list[Callable[[Path], object]]] = {
    "two state dicts that differ": [
        saved({"model": state_dict(), "ema": doubled()}),
        lambda path: torch.save({"model": state_dict(), "ema": doubled()}, path, _use_new_zipfile_serialization=False),
        saved({**state_dict(), "model": doubled(), "args": OPTIONS}),
        saved({"model": without("num_batches_tracked"), "ema": doubled()}),
        saved({**state_dict(), "projection.weight": torch.ones(8, 8), "ema": prefixed("model.", doubled())}),
    ],
    "timm's `state_dict` and `state_dict_ema`, where they differ": [
        saved({"epoch": 3, "arch": "x", "args": OPTIONS, "state_dict": state_dict(), "state_dict_ema": doubled()}),
    ],
    "a student beside its teacher": [
        saved({**prefixed("student.", state_dict()), **prefixed("teacher.", doubled())}),
        saved({**prefixed("student.", state_dict()), **prefixed("teacher.", doubled()), "teacher.args": OPTIONS}),
    ],
    "averaged weights without buffers": [
        saved({"model": state_dict(), "ema": parameters(doubled())}),
        saved({"ema": {"shadow": parameters(doubled()), "decay": 0.9}, "model": state_dict()}),
        saved({"model": prefixed("module.", state_dict()), "ema": parameters(doubled())}),
        saved({"model": state_dict(), "ema": {**parameters(doubled()), "num_updates": torch.tensor(3)}}),
    ],
    "averaged weights in a list": [
        saved({"model": state_dict(), "ema": {"shadow_params": list(parameters(doubled()).values())}}),
        saved({"ema": [*parameters(doubled()).values()], "net": prefixed("module.", state_dict())}),
    ],
    "a layer that the network does not have": [
        saved({**prefixed("model.", state_dict()), "projection.weight": torch.ones(8, 8)}),
        saved({**prefixed("model.", state_dict()), "model.projection.weight": torch.ones(8, 8)}),
        saved({**state_dict(), "projection.weight": torch.ones(8, 8)}),
        saved({"net": {**state_dict(), "head.scale": torch.ones(3), "mean": torch.ones(3), 3: OPTIONS}}),
        saved(
            {
                name.replace("stages.", "stages.module."): t
                for name, t in {**state_dict(), "mean": torch.ones(3)}.items()
            }
        ),
    ],
    "another number of classes": [saved(state_dict(3))],
    "a backbone without its classifier": [
        saved({name: tensor for name, tensor in state_dict().items() if not name.startswith("head")})
    ],
    "a checkpoint without a state dict": [saved({"epoch": 3})],
    "a whole network": [
        saved(nn.Linear(2, 2)),
        saved({"model": nn.Linear(2, 2), "state_dict": state_dict()}),
        lambda path: torch.save(nn.Linear(2, 2), path, _use_new_zipfile_serialization=False),
    ],
    "NaN or infinity": [saved(filled("head.weight", value)) for value in (float("nan"), float("inf"), float("-inf"))],
    "a negative variance": [saved(filled("stem.1.running_var", -1))],
    "one of several files": [shard("safetensors"), shard("bin")],
    "the index of several files": [index("safetensors"), index("bin")],
    "quantised weights": [saved({**state_dict(), "head.weight": torch.ones(2, 8, dtype=torch.int8)})],
    "TorchScript": [torchscript],
    "`torch.export`": [exported],
    "ONNX": [bytes_of(b"\x08\x08\x12\x07pytorch\x1a\x051.0")],
    "Keras": [bytes_of(b"\x89HDF\r\n\x1a\n" + bytes(8))],
    "TensorFlow": [bytes_of(b"\x1c\x00\x00\x00TFL3")],
    "NumPy arrays": [numpy_archive],
    "a pickle of the module `pickle`": [pickled],
    "a web page": [bytes_of(b"<!DOCTYPE html>\n<html>"), bytes_of(b"\xef\xbb\xbf\n<HTML lang=en>")],
    "a Git LFS pointer": [bytes_of(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")],
    "a text": [bytes_of(b"Not Found")],
    "an empty file": [bytes_of(b"")],
    "a cut file": [cut(0.5), cut(0.99), bytes_of(b"PK")],
    "a cut file of torch before 1.6": [cut(share, old=True) for share in (0.5, 0.01)],
    "a cut safetensors file": [cut_safetensors],
    "a file with changed bytes": [changed_bytes],
    "a tar archive": [bytes_of(b"w.pt" + bytes(253) + b"ustar" + bytes(300))],
    "another archive": [bytes_of(b"\x1f\x8b\x08\x00")],
    "a folder": [Path.mkdir],
}


@pytest.mark.parametrize("form", REFUSED)
def test_forms_that_are_refused(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is that of the page, and its line of Python saves weights that are read."""
    (cell,) = (cell for name, cell in rows("message").items() if name == form or name.startswith(f"{form} ("))
    pattern = ".*".join(map(re.escape, cell.split("...")))
    for i, make in enumerate(REFUSED[form]):
        folder = tmp_path / str(i)
        folder.mkdir()
        monkeypatch.chdir(folder)
        made = make(Path("w.pt"))
        name = made if isinstance(made, str) else "w.pt"
        with pytest.raises(InputError) as error:
            load(Path(), name)
        message = str(error.value)
        assert re.fullmatch(rf"{re.escape(name)}: {pattern}", message), message
        assert "weights_only=False" not in message
        assert "\n" not in message
        if line := re.search(r"(import torch; .*)?torch\.save\(.*", message):
            run(line[0])
            assert load(Path(), "weights.pt").hash


def run(line: str) -> None:
    """Run a line of Python of a message, as a user does, who has torch and the network at hand."""
    names: dict[str, object] = {}
    if not line.startswith("import torch"):
        model = build_network("SmallResNet", {"widths": [8]}, 2)
        names = {"torch": torch, "model": model}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit.load is deprecated
        exec(line, names)  # noqa: S102 - our own line


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"model": state_dict(), "ema": doubled()}, doubled()),
        ({"model": state_dict(), "ema": parameters(doubled())}, {**state_dict(), **parameters(doubled())}),
        ({**state_dict(), "projection.weight": torch.ones(8, 8), "ema": {"head.bias": torch.ones(2)}}, state_dict()),
    ],
)
def test_the_line_of_a_message_saves_what_it_says(
    content: object, expected: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(content, tmp_path / "weights.pt")  # which is not written over
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        load(Path(), "weights.pt")
    run(re.search("import torch; .*", str(error.value))[0])  # type: ignore[index]
    found = load(Path(), "weights_alone.pt").network.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())
    with pytest.raises(InputError):
        load(Path(), "weights.pt")


def test_the_page_has_each_form_once_and_no_other() -> None:
    assert [form.partition(" (")[0] for form in rows("message")] == [form.partition(" (")[0] for form in REFUSED]
    forms = list(rows("what is done"))
    assert len(forms) == len(READ) + len(FILES_READ)
    for form, row in zip([*READ, *FILES_READ], forms, strict=True):
        assert row.startswith(form)


def test_a_second_network_inside_a_prefix_is_never_left_out(tmp_path: Path) -> None:
    """Only a loss's names outside of the network's own children are left out, whatever the prefix is called."""
    for prefix, extra in (
        ("metric_net.", "metric_net.layer.weight"),
        ("net.", "net.head.loss_scale"),
        ("net.", "mean"),
    ):
        torch.save({**prefixed(prefix, state_dict()), extra: torch.ones(3, 3)}, tmp_path / "w.pt")
        with pytest.raises(InputError, match=re.escape(f"unexpected tensors ['{extra}']")):
            load(tmp_path, "w.pt")


def test_class_weights_are_told_from_a_layer(tmp_path: Path) -> None:
    layer = {"norm.weight": torch.ones(2), "norm.bias": torch.ones(2)}
    torch.save({**prefixed("net.", state_dict()), **layer}, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"unexpected tensors \['norm\.weight', 'norm\.bias'\]"):
        load(tmp_path, "w.pt")
    torch.save({**prefixed("net.", state_dict()), "cross_entropy.weight": torch.ones(2)}, tmp_path / "w.pt")
    assert load(tmp_path, "w.pt").hash


def test_weights_without_counters_make_the_teacher_that_torch_makes(tmp_path: Path) -> None:
    torch.save(without("num_batches_tracked"), tmp_path / "w.pt")
    torch.save({**state_dict(), "stem.1.num_batches_tracked": torch.tensor(7.0)}, tmp_path / "counted.pt")
    assert load(tmp_path, "w.pt").network.state_dict()["stem.1.num_batches_tracked"] == 0
    assert load(tmp_path, "counted.pt").network.state_dict()["stem.1.num_batches_tracked"] == 7


def test_a_header_card_is_checked_as_well(tmp_path: Path) -> None:
    torch.save(filled("head.bias", float("nan")), tmp_path / "w.pt")
    good = tmp_path / "good.pt"
    torch.save(state_dict(), good)
    teacher = load(tmp_path, "good.pt")
    for name, value, message in (
        ("head.bias", float("nan"), "must be finite"),
        ("stem.1.running_var", -0.5, "no negative variance"),
    ):
        save_file(filled(name, value), tmp_path / "t.safetensors", {"crossx_card": teacher.card.to_json()})
        with pytest.raises(InputError, match=rf"t\.safetensors: tensor {re.escape(name)}: must .*{message}|{message}"):
            load_teacher(tmp_path / "t.safetensors")


def test_weights_in_the_place_of_a_teacher_are_told_to_have_a_card(tmp_path: Path) -> None:
    for name in ("w.pth", "w.pth.tar", "model.ckpt"):
        torch.save(state_dict(), tmp_path / name)
        with pytest.raises(InputError, match=rf"^teachers\.photo: .*need a card beside them.*weights: {name}"):
            load_teacher(tmp_path / name, "teachers.photo")


class Touch:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.victim),)


@pytest.mark.parametrize("place", ["args", "state_dict"])
def test_what_stands_beside_the_weights_is_not_executed(place: str, tmp_path: Path) -> None:
    victim = tmp_path / "executed"
    content = {"state_dict": state_dict(), "args": argparse.Namespace(inner=None)}
    content[place] = argparse.Namespace(inner=Touch(victim))
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"not read, because it holds an object of '(posix|nt|os)\.mkdir'"):
        load(tmp_path, "w.pt")
    assert not victim.exists()
