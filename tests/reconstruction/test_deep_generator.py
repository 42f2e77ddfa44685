"""Generators for larger images."""

from typing import Any

import pytest
import torch
from support.runs import MODALITIES, Norm, Teachers
from torch import nn

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.generators import DeepUpsamplingGenerator
from crossx.reconstruction.losses import OneHotLoss
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule
from crossx.types import Modality, Progress


def deep(size: int = 32, modality: Modality = "photo", **arguments: Any) -> DeepUpsamplingGenerator:  # noqa: ANN401 - any argument of the class
    torch.manual_seed(0)
    return DeepUpsamplingGenerator(modality, size, **{"latent_dim": 6, "width": 8, **arguments})


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize(
    ("size", "doublings", "start"),
    [(32, 3, 4), (32, 4, 2), (48, 4, 3), (64, 4, 4), (128, 4, 8), (224, 4, 14), (224, 5, 7), (128, 6, 2)],
)
def test_images(size: int, doublings: int, start: int, modality: Modality) -> None:
    generator = deep(size, modality, doublings=doublings)
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
    assert equal == (modality == "sketch")


def test_channels_shrink_with_resolution() -> None:
    convolutions = [layer for layer in deep(128, doublings=5).body if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [64, 64, 64, 32, 16, 8, 3]


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("size", [32, 64])
def test_every_parameter_gets_a_gradient(size: int, norm: Norm, modality: Modality) -> None:
    generator = deep(size, modality, norm=norm)
    images = generator(torch.randn(12, 6))
    (images * torch.rand_like(images)).square().mean().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-9, name


def test_learns(teachers: Teachers) -> None:
    """Teachers become surer of its images."""
    module = ReconstructionModule(
        *teachers, lambda modality: deep(32, modality, doublings=3), {"one_hot": ReconstructionTerm(OneHotLoss())}
    )
    optimizer = torch.optim.Adam(module.parameters_to_train(), 0.01)
    stream = LatentDataset(0, 6, 1)
    losses: list[float] = []
    for done in range(20):
        output = module.step(stack([stream[i] for i in range(8)]), Progress(done))
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
        ({"size": 40}, r"^generator\.size: must be a multiple of 16 and at least 32 with 4 doublings, got 40$"),
        ({"size": 16}, r"^generator\.size: must be a multiple of 16 and at least 32 with 4 doublings, got 16$"),
        (
            {"size": 32, "doublings": 5},
            r"^generator\.size: must be a multiple of 32 and at least 64 with 5 doublings, got 32$",
        ),
        ({"doublings": 0}, r"^generator\.doublings: must be in \[1, 6\], got 0$"),
        ({"doublings": 7}, r"^generator\.doublings: must be in \[1, 6\], got 7$"),
        ({"width": 20}, r"^generator\.width: must be a multiple of 8, got 20$"),
        ({"modality": "photos"}, r"^generator\.modality: must be one of .*; got 'photos' \(did you mean 'photo'\?\)$"),
        ({"norm": "layer"}, r"^generator\.norm: must be one of batch, group, none; got 'layer'$"),
        ({"latent_dim": 0}, r"^generator\.latent_dim: must be at least 1, got 0$"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        deep(**arguments)
