import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.core.specs import class_name
from crossx.networks.base import Network
from crossx.networks.build import build_network
from crossx.networks.preprocessing import prepare
from crossx.networks.small_resnet import Norm, SmallResNet
from crossx.networks.timm_network import TimmNetwork


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
