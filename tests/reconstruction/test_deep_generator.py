"""Generators for larger images."""

from typing import Any, Literal

import pytest
import torch
from support.runs import Norm, Teachers
from torch import nn

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.generators import DeepUpsamplingGenerator
from crossx.reconstruction.losses import OneHotLoss
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule


def deep(size: int = 32, **arguments: Any) -> DeepUpsamplingGenerator:  # noqa: ANN401 - any argument of the class
    torch.manual_seed(0)
    return DeepUpsamplingGenerator(size, **{"latent_dim": 6, "width": 8, **arguments})


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("size", "doublings", "start"),
    [(32, 3, 4), (32, 4, 2), (48, 4, 3), (64, 4, 4), (128, 4, 8), (224, 4, 14), (224, 5, 7), (128, 6, 2)],
)
def test_images(size: int, doublings: int, start: int, channels: Literal[1, 3]) -> None:
    generator = deep(size, doublings=doublings, channels=channels)
    sides: list[int] = []
    for layer in generator.body:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _layer, _inputs, output: sides.append(output.shape[-1]))
    with torch.no_grad():
        images = generator(20 * torch.randn(2, 6))
    assert images.shape == (2, 3, size, size)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert (images[0] - images[1]).abs().max() > 0.01
    assert sides == [start, *(start * 2**i for i in range(1, doublings + 1)), size]
    equal = torch.equal(images[:, 0], images[:, 1]) and torch.equal(images[:, 0], images[:, 2])
    assert equal == (channels == 1)


def test_channels_shrink_with_resolution() -> None:
    convolutions = [layer for layer in deep(128, doublings=5).body if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [64, 64, 64, 32, 16, 8, 3]


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [32, 64])
def test_every_parameter_gets_a_gradient(size: int, norm: Norm, channels: Literal[1, 3]) -> None:
    generator = deep(size, norm=norm, channels=channels)
    images = generator(torch.randn(12, 6))
    (images * torch.rand_like(images)).square().mean().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-9, name


def test_learns(teachers: Teachers) -> None:
    """Teachers become surer of its images."""
    photo, sketch = (deep(32, channels=channels, doublings=3) for channels in (3, 1))
    module = ReconstructionModule(*teachers, photo, sketch, {"one_hot": ReconstructionTerm(OneHotLoss())})
    optimizer = torch.optim.Adam(module.parameters_to_train(), 0.01)
    stream = LatentDataset(0, 6, 1)
    losses: list[float] = []
    for done in range(20):
        output = module.step(stack([stream[i] for i in range(8)]), done)
        optimizer.zero_grad()
        output.loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(output.loss.item())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("bfloat16", [False, True])
def test_convolutions_see_channels_last_and_grey_levels_stay_fine(bfloat16: bool) -> None:
    generator = deep(32)
    seen: list[bool] = []
    for layer in generator.body:
        layer.register_forward_hook(
            lambda _layer, inputs, _output: seen.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
        )
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        images = generator(torch.randn(8, 6))
    assert images.dtype == torch.float32
    assert images[images > 0.5].unique().numel() > 200  # bfloat16 has 128 numbers there
    assert all(seen)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 40}, r"^size: 40 is not legal beside doublings = 4; a multiple of 16, at least 32$"),
        ({"size": 16}, r"^size: 16 is not legal beside doublings = 4; a multiple of 16, at least 32$"),
        ({"size": 32, "doublings": 5}, r"^size: 32 is not legal beside doublings = 5; a multiple of 32, at least 64$"),
        ({"doublings": 0}, "^doublings: 0 is not legal; from 1 to 6$"),
        ({"doublings": 7}, "^doublings: 7 is not legal; from 1 to 6$"),
        ({"width": 20}, "^width: 20 is not legal; a multiple of 8$"),
        ({"channels": 2}, "^channels 2 and norm 'batch': legal are 1 or 3"),
        ({"norm": "layer"}, "norm 'layer': legal are .* batch, group or none"),
        ({"latent_dim": 0}, "^latent_dim: 0 is not legal; at least 1$"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        deep(**arguments)
