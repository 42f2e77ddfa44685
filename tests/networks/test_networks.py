import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.core.specs import class_name
from crossx.networks.base import Network
from crossx.networks.build import build_network, without_classifier
from crossx.networks.preprocessing import InputFormat, prepare
from crossx.networks.small_resnet import Norm, SmallResNet
from crossx.networks.timm_network import TimmNetwork, timm_format

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_small_resnet_trains_every_parameter(norm: Norm) -> None:
    torch.manual_seed(0)
    network = SmallResNet(5, widths=(8, 12, 16), blocks=2, norm=norm)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    x, y = torch.randn(16, 3, 16, 16), torch.arange(16) % 5
    first = nn.functional.cross_entropy(network(x), y)
    for _ in range(8):
        loss = nn.functional.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert loss < 0.9 * first
    for name, p in network.named_parameters():
        assert p.grad is not None, name
        assert torch.isfinite(p.grad).all(), name
        assert p.grad.abs().sum() > 0, name


def test_small_resnet_comes_apart() -> None:
    network = SmallResNet(5, widths=(4, 6)).eval()
    x = torch.randn(3, 3, 10, 10)
    features = network.pooled(x)
    assert features.shape == (3, network.num_features) == (3, 6)
    torch.testing.assert_close(network.classify(features), network(x))


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_small_resnet_starts_with_features_of_a_sane_scale(norm: Norm) -> None:
    torch.manual_seed(0)
    network = SmallResNet(0, blocks=2, norm=norm)
    features = network(torch.randn(8, 3, 32, 32))
    assert 0.1 < features.mean() < 10


def test_encoder_has_no_head() -> None:
    network = SmallResNet(0, widths=(4, 8))
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(network(x), network.pooled(x))
    assert not [name for name, _ in network.named_parameters() if name.startswith("head")]


@pytest.mark.parametrize(
    "arguments", [{"widths": []}, {"widths": [0]}, {"blocks": 0}, {"norm": "layer"}, {"depth": 3}, {"widths": "wide"}]
)
def test_wrong_arguments_are_input_errors(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="SmallResNet"):
        build_network("SmallResNet", arguments, 3)


def test_timm_network_comes_apart() -> None:
    network = build_network("timm:resnet18", {}, 4).eval()
    x = torch.randn(2, 3, 64, 64)
    features = network.pooled(x)
    assert (network.num_features, network.num_classes) == (512, 4)
    assert features.shape == (2, 512)
    assert isinstance(network, TimmNetwork)
    torch.testing.assert_close(network(x), network.model(x))


def test_timm_network_takes_arguments_and_leaves_the_random_stream_alone() -> None:
    torch.manual_seed(3)
    network = TimmNetwork("vit_tiny_patch16_224", num_classes=0, arguments={"img_size": 32, "depth": 1})
    assert network(torch.randn(2, 3, 32, 32)).shape == (2, network.num_features) == (2, 192)
    assert network.training
    wide = TimmNetwork("vit_tiny_patch16_224", num_classes=0, arguments={"img_size": [32, 64], "depth": 1})
    assert wide(torch.randn(2, 3, 32, 64)).shape == (2, 192)


def test_timm_network_of_one_grey_channel() -> None:
    network = build_network("timm:resnet18", {"in_chans": 1}, 4).eval()
    x = torch.randn(2, 1, 32, 32)
    assert isinstance(network, TimmNetwork)
    torch.testing.assert_close(network(x), network.model(x))


@pytest.mark.parametrize("size", ["abc", [32], [32, 32, 32], 0, -3, 3.5, {"a": 1}])
def test_sizes_that_timm_does_not_take_are_input_errors(size: object) -> None:
    with pytest.raises(InputError, match="timm model vit_tiny_patch16_224: "):
        build_network("timm:vit_tiny_patch16_224", {"img_size": size, "depth": 1}, 3)


@pytest.mark.parametrize("channels", ["abc", 0, -1])
def test_channels_that_timm_does_not_take_are_input_errors(channels: object) -> None:
    with pytest.raises(InputError, match="timm model resnet18: "):
        build_network("timm:resnet18", {"in_chans": channels}, 3)


def test_timm_s_own_preprocessing() -> None:
    assert timm_format("resnet18", {}) == InputFormat(224, IMAGENET_MEAN, IMAGENET_STD, "bicubic", 0.95)
    vit = timm_format("vit_tiny_patch16_224", {"img_size": [32, 64]})
    assert vit == InputFormat((32, 64), (0.5,) * 3, (0.5,) * 3, "bicubic", 0.9)
    grey = timm_format("resnet18", {"in_chans": 1})
    assert grey.mean == pytest.approx((0.449,), abs=0.001)
    assert grey.std == pytest.approx((0.226,), abs=0.001)
    for name in ("resnet17", "hf-hub:somebody/model"):
        with pytest.raises(InputError, match="timm knows no model"):
            timm_format(name, {})


def test_only_a_pretrained_network_has_an_input_format(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TimmNetwork("resnet18", num_classes=0).input_format is None
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained, **kw: create(name, **kw))  # noqa: ARG005
    assert TimmNetwork("resnet18", pretrained=True, num_classes=0).input_format == timm_format("resnet18", {})


def test_a_network_without_its_classifier_has_the_other_weights() -> None:
    whole = build_network("SmallResNet", {"widths": [4]}, 3)
    part = without_classifier("SmallResNet", {"widths": [4]}, whole.state_dict())
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(part.eval()(x), whole.eval().pooled(x))
    assert part.num_classes == 0


class KeepsItsHead(SmallResNet):
    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes or 7, widths=(4,))


def test_a_network_that_keeps_its_classifier_is_refused_as_an_encoder() -> None:
    name = class_name(KeepsItsHead)
    with pytest.raises(
        InputError, match=r"must leave its classifier out for num_classes=0, got the tensor head\.weight"
    ):
        without_classifier(name, {}, build_network(name, {}, 3).state_dict())


def test_timm_network_with_two_heads_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be split into features and classifier"):
        TimmNetwork("deit_tiny_distilled_patch16_224", arguments={"depth": 1})


@pytest.mark.parametrize("name", ["resnet17", "hf-hub:somebody/model", "local-dir:/tmp/model"])
def test_only_names_of_timm_are_taken(name: str) -> None:
    with pytest.raises(InputError, match="timm knows no model"):
        build_network(f"timm:{name}", {}, 3)


@pytest.mark.parametrize("argument", ["checkpoint_path", "pretrained", "pretrained_cfg", "cache_dir"])
def test_arguments_cannot_name_files_to_load(argument: str) -> None:
    with pytest.raises(InputError, match=argument):
        build_network("timm:resnet18", {argument: "evil.pt"}, 3)


def test_timm_arguments_that_do_not_fit_are_input_errors() -> None:
    with pytest.raises(InputError, match="cannot be built from"):
        build_network("timm:resnet18", {"no_such_argument": 1}, 3)


def test_only_loaded_networks_are_found_and_nothing_is_imported() -> None:
    class Tiny(SmallResNet):
        pass

    class Unfinished(Network):
        def pooled(self, x: Tensor) -> Tensor:
            return x

    assert isinstance(build_network(class_name(Tiny), {"widths": [2]}, 3), Tiny)
    for name in ("os.system", "crossx.backbones.SmallResNet", "Tiny", class_name(Unfinished)):
        with pytest.raises(InputError, match=r"is not loaded; loaded are .*SmallResNet"):
            build_network(name, {}, 3)
    with pytest.raises(InputError, match="must be timm:<model name>"):
        build_network("TimmNetwork", {}, 3)


OWN_RESNET = """
from torch import nn
from crossx.networks.base import Network

class SmallResNet(Network):
    def __init__(self, num_classes=0, widths=(4,)):
        super().__init__()
        self.num_features, self.num_classes = widths[-1], num_classes
        self.head = nn.Linear(widths[-1], num_classes)

    def pooled(self, x):
        return x.mean((2, 3)) @ x.new_ones(3, self.num_features)

    def classify(self, features):
        return self.head(features)
"""


@pytest.mark.parametrize("own_first", [True, False])
def test_a_class_of_the_same_name_in_another_package_is_never_taken_for_ours(tmp_path: Path, own_first: bool) -> None:
    (tmp_path / "mylab.py").write_text(OWN_RESNET)
    ours = "from crossx.networks.small_resnet import SmallResNet as Ours"
    imports = ["from mylab import SmallResNet as Own", ours] if own_first else [ours, "from mylab import *"]
    code = f"""
        {"; ".join(imports)}
        import mylab
        from crossx.networks.build import build_network
        from crossx.core.specs import class_name
        assert type(build_network("SmallResNet", {{"widths": [4]}}, 3)) is Ours
        assert type(build_network("mylab.SmallResNet", {{"widths": [4]}}, 3)) is mylab.SmallResNet
        assert (class_name(Ours), class_name(mylab.SmallResNet)) == ("SmallResNet", "mylab.SmallResNet")
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, env=environment)


def test_thin_strokes_of_a_large_sketch_survive_in_a_small_one() -> None:
    # 16 black lines of one pixel, 16 pixels apart, on white: a sixteenth of the ink, wherever the lines begin.
    for start in range(16):
        sketch = torch.ones(1, 3, 256, 256)
        sketch[..., start::16] = 0
        small = prepare(sketch, 16, torch.zeros(3), torch.ones(3))
        ink = (1 - small).mean()
        assert 0.9 / 16 < ink < 1.1 / 16, start


def test_prepare_normalises_and_resizes_only_where_needed() -> None:
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([1.0, 2.0, 4.0])
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    torch.testing.assert_close(prepare(x, 8, mean, std)[:, 2], (x[:, 2] - 0.3) / 4)
    small = prepare(x, 4, torch.zeros(3), torch.ones(3))
    assert small.shape == (2, 3, 4, 4)
    small.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert (x.grad > 0).all()  # antialias: every pixel counts
