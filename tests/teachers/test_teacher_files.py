import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.networks.base import Network
from crossx.networks.build import build_network
from crossx.networks.small_resnet import SmallResNet
from crossx.teachers.card import TeacherCard
from crossx.teachers.files import CARD_KEY
from crossx.teachers.teacher import load_teacher, read_card, save_teacher

CARD: dict[str, Any] = {
    "modality": "sketch",
    "network": "SmallResNet",
    "arguments": {"widths": [4, 6]},
    "classes": ["cat", "dog", "car"],
    "input_size": 16,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
}


def make_network() -> Network:
    torch.manual_seed(0)
    return SmallResNet(3, (4, 6)).eval()


def write_yaml(folder: Path, weights: str, **changes: object) -> Path:
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump({**CARD, "weights": weights, **changes}))
    return path


@pytest.mark.parametrize(
    ("network", "arguments", "size"),
    [
        ("SmallResNet", {"widths": [4, 6]}, 16),
        ("SmallResNet", {"widths": [8, 8, 10], "blocks": 2, "norm": "group"}, 24),
        ("SmallResNet", {"widths": [5], "norm": "none"}, 9),
        ("timm:mobilenetv3_small_050", {}, 40),
    ],
)
def test_teachers_of_different_make_come_back(
    network: str, arguments: dict[str, Any], size: int, tmp_path: Path
) -> None:
    card = TeacherCard.from_mapping({**CARD, "network": network, "arguments": arguments, "input_size": size}, "f")
    net = build_network(network, arguments, 3).eval()
    save_teacher(tmp_path / "sub" / "t.safetensors", net, card)
    teacher = load_teacher(tmp_path / "sub" / "t.safetensors")
    assert teacher.card == card
    x = torch.rand(2, 3, size, size)
    torch.testing.assert_close(teacher(x).logits, net(x * 2 - 1))


def test_half_files_are_half_as_long_and_come_back_as_fp32(tmp_path: Path) -> None:
    net = SmallResNet(3, (16, 32))
    net.stem[1].running_var.fill_(1e6)  # type: ignore[operator]  # does not fit into float16
    card = TeacherCard.from_mapping({**CARD, "arguments": {"widths": [16, 32]}}, "f")
    save_teacher(tmp_path / "full.safetensors", net, card)
    save_teacher(tmp_path / "half.safetensors", net, card, half=True)
    full, half = load_teacher(tmp_path / "full.safetensors"), load_teacher(tmp_path / "half.safetensors")
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    for (name, a), b in zip(full.network.state_dict().items(), half.network.state_dict().values(), strict=True):
        assert a.dtype == b.dtype, name
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_card_is_read_without_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_teacher(path, make_network(), TeacherCard.from_mapping({**CARD, "network": "NotLoaded"}, "f"))
    assert read_card(str(path)).classes == ("cat", "dog", "car")
    with pytest.raises(InputError, match=r"t\.safetensors.*'NotLoaded' is not loaded"):
        load_teacher(path)


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model."])
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_yaml_card_with_foreign_weights(prefix: str, suffix: str, tmp_path: Path) -> None:
    net = make_network()
    tensors = {prefix + name: tensor for name, tensor in net.state_dict().items()}
    if suffix == ".safetensors":
        save_file(tensors, tmp_path / f"w{suffix}")
    else:
        torch.save(tensors, tmp_path / f"w{suffix}")
    path = write_yaml(tmp_path, f"w{suffix}")
    assert read_card(path).modality == "sketch"
    x = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(load_teacher(path)(x).logits, net(x * 2 - 1))


def test_a_byte_order_mark_is_no_part_of_a_card(tmp_path: Path) -> None:
    path = write_yaml(tmp_path, "w.pt")
    torch.save(make_network().state_dict(), tmp_path / "w.pt")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_card(path).modality == "sketch"


def test_plain_timm_weights_fit_a_timm_card(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = timm.create_model("mobilenetv3_small_050", num_classes=3).eval()
    torch.save(model.state_dict(), tmp_path / "w.pth")
    path = write_yaml(tmp_path, "w.pth", network="timm:mobilenetv3_small_050", arguments={})
    x = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(load_teacher(path)(x).logits, model(x * 2 - 1))


def test_weights_of_a_yaml_card_are_also_found_below_the_data_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "cards"
    root.mkdir()
    elsewhere.mkdir()
    torch.save(make_network().state_dict(), root / "w.pt")
    path = write_yaml(elsewhere, "w.pt")
    with pytest.raises(InputError, match=r"card\.yaml: weights: 'w\.pt' does not exist"):
        load_teacher(path)
    monkeypatch.setenv("CROSSX_DATA", str(root))
    load_teacher(path)


def test_an_input_size_that_the_network_does_not_take(tmp_path: Path) -> None:
    name, arguments = "timm:vit_tiny_patch16_224", {"img_size": 32, "depth": 1}
    torch.save(build_network(name, arguments, 3).state_dict(), tmp_path / "w.pt")
    path = write_yaml(tmp_path, "w.pt", network=name, arguments=arguments, input_size=48)
    with pytest.raises(InputError, match=r"card\.yaml: card: input_size: must be a size that timm:vit.* got 48"):
        load_teacher(path)
    assert load_teacher(write_yaml(tmp_path, "w.pt", network=name, arguments=arguments, input_size=32)).hash


class Evil:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.victim),)


@pytest.mark.parametrize("legacy", [False, True])
def test_evil_pickle_is_refused_and_not_executed(legacy: bool, tmp_path: Path) -> None:
    victim, weights = tmp_path / "executed", tmp_path / "w.pt"
    evil = {**make_network().state_dict(), "stem.evil": Evil(victim)}
    if legacy:
        weights.write_bytes(pickle.dumps(evil, protocol=2))
    else:
        torch.save(evil, weights)
    with pytest.raises(InputError, match=r"w\.pt: not read"):
        load_teacher(write_yaml(tmp_path, "w.pt"))
    assert not victim.exists()


def change_width(tensors: dict[str, Tensor]) -> None:
    tensors["stem.0.weight"] = torch.zeros(5, 3, 3, 3)


def change_classes(tensors: dict[str, Tensor]) -> None:
    tensors["head.weight"], tensors["head.bias"] = torch.zeros(4, 6), torch.zeros(4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("head.bias"), r"missing tensors \['head.bias'\]"),
        (lambda t: t.update(extra=torch.zeros(1)), r"unexpected tensors \['extra'\]"),
        (change_width, r"stem\.0\.weight: must have the shape \(4, 3, 3, 3\).*got \(5, 3, 3, 3\)"),
        (change_classes, r"head\.weight: must have the shape \(3, 6\).*3 classes, got \(4, 6\)"),
        (lambda t: t.clear(), "missing tensors"),
    ],
)
def test_weights_that_do_not_fit_name_file_and_tensor(
    change: Callable[[dict[str, Tensor]], object], message: str, tmp_path: Path
) -> None:
    tensors = make_network().state_dict()
    change(tensors)
    torch.save(dict(tensors), tmp_path / "w.pt")
    with pytest.raises(InputError, match=rf"w\.pt: .*{message}"):
        load_teacher(write_yaml(tmp_path, "w.pt"))


def test_files_that_are_no_teachers(tmp_path: Path) -> None:
    def refused(name: str, content: bytes, message: str) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            load_teacher(str(tmp_path / name), "photo_teacher")

    refused("a.safetensors", b"", "must be a safetensors file")
    refused("a.safetensors", b"\xff" * 100, "must be a safetensors file")
    refused("a.bin", b"", r"photo_teacher: must be a \.safetensors file .*, got .*a\.bin'.*weights: a\.bin")
    refused("a.yaml", b"a: [", r"a\.yaml: line 1, column 5: not YAML: .*expected the node content, but found .*; check")
    refused("a.yaml", b"\xff\xfe", "not a text file")
    refused("a.yaml", b"- 1", "weights")
    refused("a.yaml", b"weights: !!python/object/apply:os.mkdir [executed]", "line 1, column 10: not YAML")
    save_file({"x": torch.zeros(1)}, tmp_path / "bare.safetensors")
    refused("a.yaml", b"weights: bare.safetensors", "lacks")
    with pytest.raises(InputError, match="must have a card in its header"):
        load_teacher(tmp_path / "bare.safetensors")
    with pytest.raises(InputError, match=r"sketch_teacher: 'nowhere\.safetensors' does not exist"):
        load_teacher("nowhere.safetensors", "sketch_teacher")
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    with pytest.raises(InputError, match="must be a plain state dict"):
        load_teacher(write_yaml(tmp_path, "list.pt"))
    (tmp_path / "w.onnx").write_bytes(b"\x08\x08\x12\x07pytorch")
    with pytest.raises(InputError, match=r"w\.onnx: is an ONNX graph"):
        load_teacher(write_yaml(tmp_path, "w.onnx"))


def test_a_card_in_a_header_is_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_file(make_network().state_dict(), path, {CARD_KEY: json.dumps({**CARD, "std": [0, 0, 0]})})
    with pytest.raises(InputError, match=r"t\.safetensors: card: std"):
        read_card(path)


def test_save_is_atomic_and_checks_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, card = tmp_path / "t.safetensors", TeacherCard.from_mapping(CARD, "f")
    save_teacher(path, make_network(), card)
    before = path.read_bytes()
    with pytest.raises(InputError, match="must name 4 classes for the network, got 3"):
        save_teacher(path, SmallResNet(4, (4, 6)), card)
    with pytest.raises(InputError, match=r"must be named \*\.safetensors"):
        save_teacher(tmp_path / "t.pt", make_network(), card)

    def full_disk(*args: object) -> None:
        Path(str(args[1])).write_bytes(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr("crossx.core.tensor_files.save_file", full_disk)
    with pytest.raises(OSError, match="disk full"):
        save_teacher(path, SmallResNet(3, (4, 6)), card)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.safetensors"]


def test_timm_card_has_imagenets_names_and_needs_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm, "create_model", None)
    card = read_card("timm:resnet18")
    assert (card.modality, card.network, card.input_size) == ("photo", "timm:resnet18", 224)
    assert len(set(card.classes)) == 1000
    assert card.classes[1] == "goldfish"
    assert {"crane (n02012849)", "crane (n03126707)"} <= set(card.classes)
    assert card.mean == pytest.approx((0.485, 0.456, 0.406))


def test_timm_teacher_is_loaded_once_through_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    create, asked = timm.create_model, []

    def without_weights(name: str, pretrained: bool = False) -> nn.Module:
        asked.append(pretrained)
        return create(name, pretrained=False)

    monkeypatch.setattr(timm, "create_model", without_weights)
    teacher = load_teacher("timm:mobilenetv3_small_050")
    assert load_teacher("timm:mobilenetv3_small_050") is teacher
    assert asked == [True]
    assert teacher(torch.rand(1, 3, 32, 32)).logits.shape == (1, 1000)


def test_timm_without_a_connection_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **kwargs: object) -> None:  # noqa: ARG001
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(
        InputError, match="mobilenetv3_small_075: pretrained weights cannot be loaded: no route to host"
    ):
        load_teacher("timm:mobilenetv3_small_075")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet17", r"of timm\.list_pretrained\(\), got 'resnet17' \(did you mean 'resnet18'\?\)"),
        ("resnt50.a1_in1k", r"\(did you mean 'resnet50\.a1_in1k'\?\)"),
        ("nosuch", r"must be a pretrained model of timm\.list_pretrained\(\), got 'nosuch'$"),
        ("vit_small_patch14_dinov2", "classes"),
        ("resnet18.nosuch", "must be a pretrained model"),
    ],
)
def test_timm_models_without_class_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"photo_teacher: .*{message}"):
        read_card(f"timm:{name}", "photo_teacher")
