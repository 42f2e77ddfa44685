from pathlib import Path

import pytest
import torch
from support.runs import MODALITIES, SIZE, Norm, Teachers, changed, reconstruction, weights

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.generators import (
    Generator,
    GeneratorPair,
    UpsamplingGenerator,
    load_generators,
    make_pairs,
    sample_pairs,
    save_generators,
)
from crossx.teachers.pair import TeacherPair
from crossx.types import LatentBatch, Modality, Progress

NORMS: tuple[Norm, ...] = ("batch", "group", "none")


def make(norm: Norm = "batch") -> GeneratorPair:
    torch.manual_seed(0)
    return GeneratorPair(*(UpsamplingGenerator(modality, SIZE, 8, 16, norm) for modality in MODALITIES))


def latents(count: int) -> LatentBatch:
    stream = LatentDataset(0, 8, count)
    return stack([stream[i] for i in range(count)])


@pytest.fixture
def pair(teachers: Teachers) -> TeacherPair:
    return TeacherPair(*teachers)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("size", [8, 32, 64])
def test_images(size: int, modality: Modality, norm: Norm) -> None:
    torch.manual_seed(0)
    generator = UpsamplingGenerator(modality, size, latent_dim=5, width=8, norm=norm)
    images = generator(20 * torch.randn(4, 5))
    assert images.shape == (4, 3, size, size)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert (images[0] - images[1]).abs().max() > 0.01
    equal = torch.equal(images[:, 0], images[:, 1]) and torch.equal(images[:, 0], images[:, 2])
    assert equal == (modality == "sketch")


@pytest.mark.parametrize("norm", NORMS)
def test_every_parameter_gets_a_gradient(pair: TeacherPair, norm: Norm) -> None:
    generators = make(norm)
    pairs = make_pairs(generators, pair, latents(64))
    (pairs.photo_teacher.logits.square().mean() + pairs.sketch_teacher.logits.square().mean()).backward()  # type: ignore[no-untyped-call]
    for name, parameter in generators.named_parameters():
        assert parameter.grad is not None, name
        # A bias before BatchNorm has none but rounding errors: the norm takes the mean away again.
        if norm != "batch" or not name.endswith(("body.2.bias", "body.6.bias")):
            assert parameter.grad.abs().max() > 1e-7, name


def test_grey_levels_stay_fine_in_bfloat16() -> None:
    generator = UpsamplingGenerator("photo", 16, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        images = generator(torch.randn(16, 8))
    assert images.dtype == torch.float32
    assert images[images > 0.5].unique().numel() > 200  # bfloat16 has 128 numbers there


@pytest.mark.parametrize("training", [True, False])
def test_sampling_moves_no_statistics_and_keeps_no_graph(pair: TeacherPair, training: bool) -> None:
    generators = make().train(training)
    generators.sketch.eval()  # each part has its own mode back
    before, modes = weights(generators), [m.training for m in generators.modules()]
    pairs = sample_pairs(generators, pair, latents(6))
    assert not changed(before, weights(generators))
    assert [m.training for m in generators.modules()] == modes
    assert not any(x.requires_grad for x in (pairs.photo, pairs.sketch, pairs.photo_teacher.logits))
    generators.train()
    learning = make_pairs(generators, pair, latents(6))  # what the generators learn from is what encoders get
    assert torch.equal(learning.photo.detach(), pairs.photo)
    assert torch.equal(learning.sketch.detach(), pairs.sketch)
    assert {name.rpartition(".")[2] for name in changed(before, weights(generators))} == {
        "running_mean",
        "running_var",
        "num_batches_tracked",
    }


def test_modes_come_back_after_an_error(pair: TeacherPair) -> None:
    generators = make().eval()
    with pytest.raises(RuntimeError):
        sample_pairs(generators, pair, LatentBatch(torch.zeros(2), torch.zeros(2, 99), torch.zeros(2)))
    assert not any(m.training for m in generators.modules())
    before = weights(generators)
    generators.train()
    make_pairs(generators, pair, latents(4))
    assert changed(before, weights(generators))  # and statistics are tracked again


def test_class_of_a_pair_is_what_both_teachers_find_most_likely(pair: TeacherPair) -> None:
    batch = latents(32)
    pairs = sample_pairs(make(), pair, batch)
    assert torch.equal(
        pairs.target, pair.vocabulary.most_likely(pairs.photo_teacher.logits, pairs.sketch_teacher.logits)
    )
    batch.uniform = 1 - batch.uniform
    assert torch.equal(sample_pairs(make(), pair, batch).photo, pairs.photo)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 4}, r"^generator\.size: must be a multiple of 4 and at least 8, got 4$"),
        ({"size": 30}, r"^generator\.size: must be a multiple of 4 and at least 8, got 30$"),
        ({"latent_dim": 0}, r"^generator\.latent_dim: must be at least 1, got 0$"),
        ({"width": 12}, r"^generator\.width: must be a multiple of 8, got 12$"),
        ({"width": 0}, r"^generator\.width: must be a multiple of 8, got 0$"),
        ({"modality": "painting"}, r"^generator\.modality: must be one of photo, sketch; got 'painting'$"),
        ({"norm": "layer"}, r"^generator\.norm: must be one of batch, group, none; got 'layer'$"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, int | str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        UpsamplingGenerator(**{"modality": "photo", **arguments})  # type: ignore[arg-type]


def test_sides_must_take_the_same_latents() -> None:
    with pytest.raises(InputError, match=r"^generator, sketch_generator: must have one latent_dim, .* got 8 and 9$"):
        GeneratorPair(UpsamplingGenerator("photo", 16, 8, 8), UpsamplingGenerator("sketch", 16, 9, 8))


def test_saved_generators_come_back(tmp_path: Path) -> None:
    generators = make("group")
    save_generators(tmp_path / "g.safetensors", generators)
    torch.manual_seed(1)
    again = load_generators(str(tmp_path / "g.safetensors"), "generators")
    assert not changed(weights(generators), weights(again))
    assert again.photo.arguments() == generators.photo.arguments()
    assert again.sketch.arguments() == generators.sketch.arguments()
    assert not any(m.training for m in again.modules())
    assert not any(p.requires_grad for p in again.parameters())
    noise = torch.randn(2, 8)
    for a, b in zip(generators(noise), again(noise), strict=True):
        assert torch.equal(a, b)


def test_a_user_s_own_generator_is_saved_and_read(tmp_path: Path) -> None:
    class Constant(Generator):
        def __init__(self, modality: Modality, latent_dim: int, grey: float) -> None:
            super().__init__(modality, latent_dim)
            self.grey = grey

        def forward(self, noise: torch.Tensor) -> torch.Tensor:
            return noise.new_full((len(noise), 3, 4, 4), self.grey)

    save_generators(tmp_path / "g.safetensors", GeneratorPair(Constant("photo", 3, 0.25), Constant("sketch", 3, 0.75)))
    generators = load_generators(str(tmp_path / "g.safetensors"), "generators")
    photo, sketch = generators(torch.zeros(2, 3))
    assert photo.unique().tolist() == [0.25]
    assert sketch.unique().tolist() == [0.75]


def test_a_generator_of_the_same_name_in_another_package_is_never_taken_for_ours(tmp_path: Path) -> None:
    ours = UpsamplingGenerator
    own = type("UpsamplingGenerator", (ours,), {"__module__": __name__})
    generators = make()
    save_generators(tmp_path / "ours.safetensors", generators)
    assert type(load_generators(str(tmp_path / "ours.safetensors"), "generators").photo) is ours
    theirs = GeneratorPair(*(own(**generator.arguments()) for generator in (generators.photo, generators.sketch)))
    save_generators(tmp_path / "theirs.safetensors", theirs)
    assert type(load_generators(str(tmp_path / "theirs.safetensors"), "generators").photo) is own


def test_module_samples_its_generators(teachers: Teachers) -> None:
    module = reconstruction(teachers, "batch")
    assert not module.wants_pairs(Progress(0))
    assert module.pair_source is None
    expected = sample_pairs(module.generators, module.teachers, latents(4))
    assert torch.equal(module.sample(latents(4)).sketch, expected.sketch)
