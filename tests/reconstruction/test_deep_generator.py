"""Generators for larger images, and mixtures of classes."""

import math
from typing import Any, Literal

import numpy as np
import pytest
import torch
from support.runs import Norm, Teachers
from torch import nn

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.generators import DeepUpsamplingGenerator, Generator, GeneratorPair, UpsamplingGenerator
from crossx.reconstruction.generators.base import conditioned
from crossx.reconstruction.losses import OneHotLoss
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule


def deep(size: int = 32, **arguments: Any) -> DeepUpsamplingGenerator:  # noqa: ANN401 - any argument of the class
    torch.manual_seed(0)
    return DeepUpsamplingGenerator(size, **{"latent_dim": 6, "width": 8, **arguments})


def no_target(count: int) -> torch.Tensor:
    return torch.zeros(count).long()


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
        images = generator(20 * torch.randn(2, 6), no_target(2))
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
@pytest.mark.parametrize("arguments", [{}, {"classes": 3}, {"classes": 3, "mixture": 0.4, "channels": 1}])
@pytest.mark.parametrize("size", [32, 64])
def test_every_parameter_gets_a_gradient(size: int, norm: Norm, arguments: dict[str, Any]) -> None:
    generator = deep(size, norm=norm, **arguments)
    images = generator(torch.randn(12, 6), torch.arange(12) % 3)
    (images * torch.rand_like(images)).square().mean().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-9, name
    assert ("embed.weight" in generator.state_dict()) == bool(arguments)


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
        images = generator(torch.randn(8, 6), no_target(8))
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
        ({"classes": -1}, "^classes: -1 is not legal"),
    ],
)
@pytest.mark.parametrize("mixed", [False, True])
def test_arguments_out_of_range(arguments: dict[str, Any], message: str, mixed: bool) -> None:
    if mixed and not arguments.keys() & {"latent_dim", "classes"}:
        arguments = {"classes": 3, "mixture": 0.5, **arguments}
    with pytest.raises(InputError, match=message):
        deep(**arguments)


@pytest.mark.parametrize("cls", [UpsamplingGenerator, DeepUpsamplingGenerator])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mixture": -0.1, "classes": 3}, r"^mixture: -0\.1 is not legal; from 0 to 0\.5"),
        ({"mixture": 0.6, "classes": 3}, r"^mixture: 0\.6 is not legal; from 0 to 0\.5"),
        ({"mixture": math.nan, "classes": 3}, r"^mixture: nan is not legal"),
        (
            {"mixture": 0.5},
            r"^mixture: 0\.5 is not legal beside classes = 0 and latent_dim = 256; .* at least 2 of both",
        ),
        ({"mixture": 0.5, "classes": 1}, r"^mixture: 0\.5 is not legal beside classes = 1"),
        ({"mixture": 0.5, "classes": 3, "latent_dim": 1}, r"^mixture: 0\.5 is not legal beside .* latent_dim = 1"),
    ],
)
def test_mixtures_out_of_range(cls: type[Generator], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        cls(**arguments)


def test_sides_must_mix_alike() -> None:
    photo, sketch = UpsamplingGenerator(16, 8, 8, classes=3, mixture=0.3), UpsamplingGenerator(16, 8, 8, classes=3)
    with pytest.raises(InputError, match=r"^sketch_generator\.mixture: 0\.0 is not legal beside .* = 0\.3"):
        GeneratorPair(photo, sketch)


@pytest.mark.parametrize("mixture", [0.0, 0.3, 0.5])
def test_mixture_is_that_of_numpy(mixture: float) -> None:
    classes = 5
    embed = nn.Embedding(classes, 4)
    noise, target = torch.randn(40, 4), torch.arange(40) % classes
    vectors, z = embed.weight.detach().numpy(), noise.numpy()
    expected = np.empty((40, 4))
    for i in range(40):
        share, place = (0.5 * (1 + math.erf(float(number) / math.sqrt(2))) for number in z[i, :2])
        share *= mixture
        other = (i + 1 + int(place * (classes - 1))) % classes
        mixed = (1 - share) * vectors[i % classes] + share * vectors[other]
        expected[i] = (z[i] + mixed / math.hypot(share, 1 - share)) / math.sqrt(2)
    found = conditioned(noise, target, embed, mixture).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_mixture_reaches_every_other_class_and_keeps_the_scale() -> None:
    """Unit vectors as classes: which ones are in the mix can be read off."""
    torch.manual_seed(0)
    embed = nn.Embedding(4, 4)
    embed.weight.data = torch.eye(4)
    noise = torch.randn(4000, 4)
    mixed = conditioned(noise, torch.full((4000,), 2), embed, 0.5) * math.sqrt(2) - noise
    torch.testing.assert_close(mixed.norm(dim=1), torch.ones(4000), rtol=0, atol=1e-5)
    assert (mixed > 1e-4).sum(1).max() == 2
    assert (mixed.argmax(1) == 2).all()
    others = (mixed[:, [0, 1, 3]] > 1e-4).float().mean(0)
    torch.testing.assert_close(others, torch.full((3,), 1 / 3), rtol=0, atol=0.04)
    assert torch.equal(conditioned(noise, no_target(4000), None), noise)


def test_mixed_images_lie_between_the_classes() -> None:
    """The same latent with another second class is another image; a latent alone decides which one."""
    generator = deep(32, classes=3, mixture=0.5, norm="group", latent_dim=8)
    noise = torch.randn(1, 8).repeat(3, 1)
    noise[:, 0] = 3  # the largest share
    noise[0, 1], noise[1, 1], noise[2, 1] = -1, 1, -1
    images = generator(noise, no_target(3))
    torch.testing.assert_close(images[0], images[2])
    assert (images[0] - images[1]).abs().max() > 1e-3
