"""Modality guidance: by a discriminator, and by the statistics of the teachers' BatchNorm layers.

Over 300 lines, because both ways are held to the same cases.
"""

import copy
import re
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from support.pixels import SHAPES, Pixels, real_images, save_discriminator, train
from support.runs import MODALITIES, SIZE, Teachers, reconstruction, save_teachers
from torch import Tensor, nn

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.generators import UpsamplingGenerator
from crossx.reconstruction.losses import (
    BatchNormStatisticsLoss,
    DiscriminatorGuidanceLoss,
    OneHotLoss,
    Reconstruction,
    StatisticsGuidanceLoss,
)
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.losses.statistics_guidance import bhattacharyya, statistics_misfit
from crossx.reconstruction.module import ReconstructionModule
from crossx.teachers.pair import TeacherPair
from crossx.training.hashes import frozen_hashes, teacher_hashes
from crossx.training.module import CrossxModule
from crossx.types import LayerStatistics, Progress

Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def discriminator(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_discriminator(tmp_path_factory.mktemp("discriminator") / "modality.safetensors")


def with_terms(teachers: Teachers, **terms: ReconstructionTerm) -> ReconstructionModule:
    torch.manual_seed(0)
    generator = partial(UpsamplingGenerator, size=SIZE, latent_dim=8, width=8)
    return ReconstructionModule(*teachers, generator, terms)


# --- the discriminator ---


def test_discriminator_guidance_is_the_cross_entropy_to_each_image_s_own_modality(
    teachers: Teachers, discriminator: str
) -> None:
    loss, x = DiscriminatorGuidanceLoss(discriminator), Pixels(teachers)()
    total = 0.0
    for column, images in enumerate((x.pairs.photo, x.pairs.sketch)):
        logits = loss.discriminator(images).logits.detach().numpy().astype(np.float64)
        total -= np.log(np.exp(logits[:, column]) / np.exp(logits).sum(axis=1)).mean()
    assert loss(x).item() == pytest.approx(total / 2, rel=1e-5)


def test_classes_of_a_discriminator_are_names(teachers: Teachers, tmp_path: Path) -> None:
    """The same weights with the classes in the other order ask for the opposite."""
    first = save_discriminator(tmp_path / "a.safetensors", ("photo", "sketch"))
    other = save_discriminator(tmp_path / "b.safetensors", ("sketch", "photo"), modality="photo")
    x = Pixels(teachers)()
    swapped = copy.copy(x.pairs)
    swapped.photo, swapped.sketch = x.pairs.sketch, x.pairs.photo
    expected = DiscriminatorGuidanceLoss(first)(Reconstruction(swapped, x.vocabulary))
    assert DiscriminatorGuidanceLoss(other)(x).item() == pytest.approx(expected.item(), rel=1e-6)
    assert DiscriminatorGuidanceLoss(first)(x).item() != pytest.approx(expected.item(), rel=1e-2)


def test_discriminator_guidance_has_the_gradient_of_its_value(tmp_path: Path) -> None:
    path = save_discriminator(tmp_path / "d.safetensors", norm="group")
    # Teachers of its own: there is one copy a process, which would be double for everybody.
    loss, images = DiscriminatorGuidanceLoss(path).double(), Pixels(save_teachers(tmp_path), count=2).double()

    def value(pixels: Tensor) -> Tensor:
        x = images()
        x.pairs.photo, x.pairs.sketch = pixels.sigmoid()
        result: Tensor = loss(x)
        return result

    pixels = images.pixels.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(value, (pixels,), fast_mode=True)


def test_discriminator_guidance_makes_images_of_their_modality(teachers: Teachers, discriminator: str) -> None:
    loss, images = DiscriminatorGuidanceLoss(discriminator), Pixels(teachers)

    def probabilities() -> list[float]:
        pairs = images().pairs
        seen = [loss.discriminator(x).logits.softmax(1) for x in (pairs.photo, pairs.sketch)]
        return [seen[0][:, 0].mean().item(), seen[1][:, 1].mean().item()]

    before = probabilities()
    train(images, loss)
    assert min(before) < 0.5
    assert min(probabilities()) > 0.9


@pytest.mark.parametrize("classes", [("cat", "dog"), ("photo", "sketch", "painting"), ("photo", "drawing")])
def test_discriminator_of_other_classes_is_refused(tmp_path: Path, classes: tuple[str, ...]) -> None:
    path = save_discriminator(tmp_path / "other.safetensors", classes, modality="photo")
    named = re.escape(", ".join(classes))
    with pytest.raises(
        InputError,
        match=rf"^discriminator: must have the classes photo and sketch, .* got {len(classes)} classes {named} in ",
    ):
        DiscriminatorGuidanceLoss(path)


def test_discriminator_must_exist() -> None:
    with pytest.raises(InputError, match=r"^discriminator: 'nowhere\.safetensors' does not exist"):
        DiscriminatorGuidanceLoss("nowhere.safetensors")


def test_discriminator_is_frozen_and_one_and_in_no_checkpoint(teachers: Teachers, discriminator: str) -> None:
    loss = DiscriminatorGuidanceLoss(discriminator)
    assert DiscriminatorGuidanceLoss(discriminator).discriminator is loss.discriminator
    module = with_terms(teachers, guidance=ReconstructionTerm(loss))
    module.train()
    assert not any(m.training for m in loss.discriminator.modules())
    assert not any(p.requires_grad for p in loss.parameters())
    frozen = {id(p) for p in loss.parameters()}
    assert not [p for p in module.parameters_to_train() if id(p) in frozen]
    assert not [name for name in module.state_dict() if "discriminator" in name]
    module.load_state_dict(module.state_dict())
    assert copy.deepcopy(loss).discriminator is loss.discriminator


def test_discriminator_is_verified_by_its_hash(teachers: Teachers, tmp_path: Path) -> None:
    loss = DiscriminatorGuidanceLoss(save_discriminator(tmp_path / "own.safetensors"))
    module = with_terms(teachers, guidance=ReconstructionTerm(loss))
    place = "objective.losses.guidance.discriminator"
    assert frozen_hashes(module) == {**teacher_hashes(module), place: loss.discriminator.hash}
    CrossxModule.on_fit_end(module)
    with torch.no_grad():
        loss.discriminator.network.get_parameter("head.bias").add_(1)
    with pytest.raises(RuntimeError, match="has changed during the fit"):
        CrossxModule.on_fit_end(module)


def test_checkpoint_of_another_discriminator_is_refused(teachers: Teachers, tmp_path: Path) -> None:
    checkpoints = []
    for seed in (1, 2):
        path = save_discriminator(tmp_path / f"{seed}.safetensors", seed=seed)
        module = with_terms(teachers, guidance=ReconstructionTerm(DiscriminatorGuidanceLoss(path)))
        checkpoints.append({"state_dict": module.state_dict()})
        module.on_save_checkpoint(checkpoints[-1])
    module.on_load_checkpoint(checkpoints[1])
    message = r"^objective\.losses\.guidance\.discriminator: this checkpoint was trained with the teacher"
    with pytest.raises(InputError, match=message):
        module.on_load_checkpoint(checkpoints[0])


# --- the statistics ---


def reference(layers: list[LayerStatistics]) -> float:
    """Mean Bhattacharyya distance, from the overlap of the two densities on a grid."""
    of_layers = []
    for layer in layers:
        numbers = (t.double().tolist() for t in (layer.mean, layer.var, layer.running_mean, layer.running_var))
        of_layers.append(np.mean([overlap_distance(*channel) for channel in zip(*numbers, strict=True)]))
    return float(np.mean(of_layers))


def overlap_distance(mean: float, var: float, other_mean: float, other_var: float) -> float:
    x = np.linspace(-40, 40, 80001)

    def density(mean: float, var: float) -> Array:
        return np.asarray(np.exp(-((x - mean) ** 2) / (2 * var)) / np.sqrt(2 * np.pi * var))

    overlap = np.sqrt(density(mean, var) * density(other_mean, other_var)).sum() * (x[1] - x[0])
    return float(-np.log(overlap))


def test_statistics_guidance_matches_the_definition(teachers: Teachers) -> None:
    x = Pixels(teachers)()
    expected = 0.0
    for modality in MODALITIES:
        own = reference(x.teachers[modality].statistics[:3])
        other = reference(x.swapped[modality][:3])
        expected += own / (own + other) / 2
    assert StatisticsGuidanceLoss(TeacherPair(*teachers), layers=3)(x).item() == pytest.approx(expected, rel=1e-3)


def test_swapped_are_the_first_statistics_of_the_other_teachers(teachers: Teachers) -> None:
    pair = TeacherPair(*teachers)
    photo, sketch = torch.rand(2, 4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    swapped = pair.swapped(photo, sketch, 3)
    for found, whole in ((swapped["photo"], pair.sketch(photo, True)), (swapped["sketch"], pair.photo(sketch, True))):
        assert len(found) == 3 < len(whole.statistics)
        for layer, expected in zip(found, whole.statistics, strict=False):
            assert torch.equal(layer.mean, expected.mean)
            assert torch.equal(layer.var, expected.var)
            assert torch.equal(layer.running_mean, expected.running_mean)


def test_layers_behind_the_first_ones_do_not_run(teachers: Teachers) -> None:
    teacher = TeacherPair(*teachers).photo
    ran: list[nn.Module] = []
    layers = [m for m in teacher.network.modules() if isinstance(m, nn.BatchNorm2d | nn.Linear)]
    handles = [layer.register_forward_hook(lambda layer, *_: ran.append(layer)) for layer in layers]
    images = torch.rand(2, 3, SIZE, SIZE, requires_grad=True)
    found = teacher.first_statistics(images, 2)
    assert len(found) == 2
    assert len(ran) == 1, "the second layer's inputs are known before it runs"
    torch.stack([layer.mean.sum() for layer in found]).sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    everything = teacher.first_statistics(images.detach(), 1000)
    for handle in handles:
        handle.remove()
    assert len(everything) == len(teacher(images.detach(), statistics=True).statistics)


def test_misfit_is_zero_at_home_and_a_mean_over_the_first_layers() -> None:
    mean, var = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 4.0])
    at_home = LayerStatistics(mean, var, mean, var)
    away = LayerStatistics(mean + torch.tensor([2.0, 0.0]), var, mean, var)
    assert statistics_misfit([at_home], 4).item() == pytest.approx(0, abs=1e-6)
    one = 2**2 / (3 + 3) / 4 / 2
    assert statistics_misfit([away], 4).item() == pytest.approx(one, rel=1e-4)
    assert statistics_misfit([away, at_home, at_home], 2).item() == pytest.approx(one / 2, rel=1e-4)


def test_bhattacharyya_has_no_unit_and_is_safe_where_a_channel_is_dead() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, other_mean = torch.randn(2, 5, generator=generator)
    var, other_var = torch.rand(2, 5, generator=generator) + 0.5
    expected = bhattacharyya(mean, var, other_mean, other_var)
    torch.testing.assert_close(
        bhattacharyya(10 * mean, 100 * var, 10 * other_mean, 100 * other_var), expected, rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(bhattacharyya(other_mean, other_var, mean, var), expected)
    dead = torch.zeros(5, requires_grad=True)
    distance = bhattacharyya(mean, dead, other_mean, torch.zeros(5)).sum()
    assert distance.isfinite()
    assert torch.autograd.grad(distance, dead)[0].isfinite().all()


def test_gradients_are_those_of_the_values() -> None:
    generator = torch.Generator().manual_seed(1)
    mean, other_mean = torch.randn(2, 4, generator=generator, dtype=torch.float64)
    var, other_var = torch.rand(2, 4, generator=generator, dtype=torch.float64) + 0.3
    assert torch.autograd.gradcheck(
        lambda m, v: bhattacharyya(m, v, other_mean, other_var), (mean.requires_grad_(), var.requires_grad_())
    )


def test_gradient_of_the_guidance_is_that_of_its_value(tmp_path: Path) -> None:
    images = Pixels(save_teachers(tmp_path), count=2)
    loss = StatisticsGuidanceLoss(images.teachers)
    images.double()
    direction = torch.randn(images.pixels.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (gradient,) = torch.autograd.grad(loss(images()), images.pixels)
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            images.pixels.add_(step * direction)
            values.append(loss(images()).item())
            images.pixels.sub_(step * direction)
    slope = (values[0] - values[1]) / 2e-5
    assert (gradient * direction).sum().item() == pytest.approx(slope, rel=1e-3)


def test_real_images_are_told_apart_by_the_statistics_alone() -> None:
    """No discriminator has seen them: photos fit the photo teacher, sketches the sketch teacher, noise neither."""
    pair, (photo, sketch) = TeacherPair(*SHAPES), real_images()
    loss = StatisticsGuidanceLoss(pair)
    noise = torch.rand(photo.shape, generator=torch.Generator().manual_seed(0))

    def value(photo: Tensor, sketch: Tensor) -> float:
        pairs = pair(photo, sketch, statistics=True)
        return float(loss(Reconstruction(pairs, pair.vocabulary, swapped=pair.swapped(photo, sketch, 4))))

    assert value(photo, sketch) < 0.1
    assert value(sketch, photo) > 0.9
    assert 0.4 < value(noise, noise) < 0.6


def test_statistics_guidance_makes_each_modality_fit_its_own_teacher(teachers: Teachers) -> None:
    images = Pixels(teachers)

    def misfits() -> list[tuple[float, float]]:
        x = images()
        return [
            (
                statistics_misfit(x.teachers[m].statistics, 4).item(),
                statistics_misfit(x.swapped[m], 4).item(),
            )
            for m in MODALITIES
        ]

    before = misfits()
    train(images, StatisticsGuidanceLoss(images.teachers))
    for (own, other), (own_before, other_before) in zip(misfits(), before, strict=True):
        assert own < 0.7 * other
        assert own / other < 0.8 * own_before / other_before


def test_half_precision_is_summed_in_float32(teachers: Teachers) -> None:
    images = Pixels(teachers)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert StatisticsGuidanceLoss(images.teachers)(images()).dtype == torch.float32


@pytest.mark.parametrize("layers", [0, -1])
def test_layers_are_checked(teachers: Teachers, layers: int) -> None:
    with pytest.raises(InputError, match=rf"^layers: must be at least 1, got {layers}$"):
        StatisticsGuidanceLoss(TeacherPair(*teachers), layers)


@pytest.mark.parametrize("without", MODALITIES)
def test_teachers_without_batch_norm_are_refused(teachers: Teachers, plain_teachers: Teachers, without: str) -> None:
    pair = teachers._replace(**{without: getattr(plain_teachers, without)})
    guidance = ReconstructionTerm(StatisticsGuidanceLoss)
    message = rf"needs teachers with BatchNorm, and the {without} teacher '{without}' has none; take the term out"
    with pytest.raises(InputError, match=message):
        with_terms(pair, guidance=guidance)
    guidance.weight = 0
    with_terms(pair, guidance=guidance, one_hot=ReconstructionTerm(OneHotLoss()))


def test_teachers_see_the_other_modality_only_while_a_term_asks_for_it(teachers: Teachers) -> None:
    module = with_terms(
        teachers,
        statistics=ReconstructionTerm(BatchNormStatisticsLoss()),
        guidance=ReconstructionTerm(StatisticsGuidanceLoss, 1.0, (5, 9)),
    )
    passes = {"photo": 0, "sketch": 0}

    def count(modality: str) -> None:
        passes[modality] += 1

    starts = {m: module.teachers.of(m).preprocessing for m in MODALITIES}  # what each pass begins with
    handles = [start.register_forward_hook(lambda *_, m=m: count(m)) for m, start in starts.items()]
    stream = LatentDataset(0, module.latent_dim, 1)
    latents = stack([stream[i] for i in range(4)])
    assert "recon/guidance" not in module.step(latents, Progress(5)).logs
    assert passes == {"photo": 1, "sketch": 1}
    output = module.step(latents, Progress(6))
    assert passes == {"photo": 3, "sketch": 3}
    assert 0 < float(output.logs["recon/guidance"]) < 1
    output.loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in module.teachers.parameters())
    for handle in handles:
        handle.remove()


def test_a_module_without_guidance_has_the_teachers_hashes_alone(teachers: Teachers) -> None:
    module = reconstruction(teachers)
    assert frozen_hashes(module) == teacher_hashes(module)
