"""Generators that start with the weights of an earlier run's."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from support.runs import SIZE, Teachers, reconstruction, weights

from crossx.core.errors import InputError
from crossx.reconstruction.generators import (
    DeepUpsamplingGenerator,
    GeneratorFactory,
    UpsamplingGenerator,
    save_generators,
)
from crossx.reconstruction.losses import OneHotLoss
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule

GENERATOR = partial(UpsamplingGenerator, size=SIZE, latent_dim=8, width=8)


def module(teachers: Teachers, generator: GeneratorFactory = GENERATOR, **arguments: Any) -> ReconstructionModule:  # noqa: ANN401
    return ReconstructionModule(*teachers, generator, {"one_hot": ReconstructionTerm(OneHotLoss())}, **arguments)


@pytest.fixture
def saved(teachers: Teachers, tmp_path: Path) -> str:
    path = tmp_path / "generators.safetensors"
    save_generators(path, module(teachers).generators)
    return str(path)


def test_generators_start_where_others_ended_and_train_on(teachers: Teachers, tmp_path: Path) -> None:
    """Running statistics are those of the file, too."""
    earlier = reconstruction(teachers, norm="batch")
    earlier.generators.train()(torch.randn(4, earlier.latent_dim))
    path = tmp_path / "generators.safetensors"
    save_generators(path, earlier.generators)
    arguments = earlier.generators.photo.arguments()
    factory = partial(type(earlier.generators.photo), **{k: v for k, v in arguments.items() if k != "modality"})
    later = module(teachers, factory, start=str(path))
    expected = weights(earlier.generators)
    assert weights(later.generators).keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights(later.generators).items())
    assert list(later.parameters_to_train())
    assert all(p.requires_grad for p in later.generators.parameters())


@pytest.mark.parametrize(
    ("generator", "sketch", "said"),
    [
        (
            partial(UpsamplingGenerator, size=SIZE, latent_dim=8, width=16, norm="group"),
            None,
            r"a photo generator with width 8 \(stated: 16\), norm batch \(stated: group\)",
        ),
        (GENERATOR, partial(UpsamplingGenerator, size=SIZE, latent_dim=8, width=16), "a sketch generator with width 8"),
        (
            partial(DeepUpsamplingGenerator, size=SIZE, latent_dim=8, width=8, doublings=2),
            None,
            r"a photo generator with class UpsamplingGenerator \(stated: DeepUpsamplingGenerator\)",
        ),
    ],
)
def test_another_generator_is_named_with_what_differs(
    teachers: Teachers, saved: str, generator: GeneratorFactory, sketch: GeneratorFactory | None, said: str
) -> None:
    with pytest.raises(InputError, match=f"^start: must hold generators as the config states them, got {said}.* in /"):
        module(teachers, generator, sketch_generator=sketch, start=saved)


def test_a_file_that_is_none_of_generators_is_refused(teachers: Teachers, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^start: .*nowhere\.safetensors"):
        module(teachers, start=str(tmp_path / "nowhere.safetensors"))
    with pytest.raises(InputError, match=r"^start: .* does not hold two generators saved by crossx"):
        module(teachers, start=teachers.photo)
