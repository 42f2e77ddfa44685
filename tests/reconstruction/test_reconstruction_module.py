import math
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from support.runs import SIZE, Teachers, data, reconstruction, trainer, weights
from torch import nn

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.generators import UpsamplingGenerator, load_generators
from crossx.reconstruction.losses import AdversarialLoss, OneHotLoss, Reconstruction, StatisticsGuidanceLoss
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule
from crossx.teachers.pair import TeacherPair
from crossx.types import CriticOutput, LatentBatch, Modality, PairBatch, Progress


def latents(module: ReconstructionModule, count: int = 8) -> LatentBatch:
    stream = LatentDataset(0, module.latent_dim, 1)
    return stack([stream[i] for i in range(count)])


def with_terms(teachers: Teachers, **terms: ReconstructionTerm) -> ReconstructionModule:
    generator = partial(UpsamplingGenerator, size=SIZE, latent_dim=8, width=8)
    return ReconstructionModule(*teachers, generator, terms)


def test_logs_tell_agreement_confidence_and_balance(teachers: Teachers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pairs with sure teachers: photos of classes 0 0 1 1, sketches of classes 0 1 1 1."""
    module = with_terms(teachers, one_hot=ReconstructionTerm(OneHotLoss()))
    classes = len(module.teachers.vocabulary.union)
    batch = latents(module, 4)
    for teacher, seen in ((module.teachers.photo, [0, 0, 1, 1]), (module.teachers.sketch, [0, 1, 1, 1])):
        sure = 50 * nn.functional.one_hot(torch.tensor(seen), classes).float()
        monkeypatch.setattr(teacher.network, "classify", lambda features, sure=sure: sure + 0 * features.sum())
    logs = module.step(batch, Progress(0)).logs
    assert float(logs["recon/agreement"]) == 0.75
    assert float(logs["recon/photo_confidence"]) == pytest.approx(1)
    assert float(logs["recon/sketch_confidence"]) == pytest.approx(1)
    shares = (3 / 8, 5 / 8)
    balance = -sum(p * math.log(p) for p in shares) / math.log(classes)
    assert float(logs["recon/class_entropy"]) == pytest.approx(balance, abs=1e-6)
    assert float(logs["recon/one_hot"]) == pytest.approx(0, abs=1e-6)


def test_critic_is_asked_only_when_a_term_needs_it_now(teachers: Teachers) -> None:
    asked: list[int] = []

    def critic(pairs: PairBatch) -> CriticOutput:
        asked.append(len(pairs.photo))
        return CriticOutput(torch.zeros(len(pairs.photo)))

    one_hot = ReconstructionTerm(OneHotLoss())
    ramped = with_terms(teachers, one_hot=one_hot, adversarial=ReconstructionTerm(AdversarialLoss(), 1.0, (5, 9)))
    ramped.step(latents(ramped), Progress(5), critic)
    assert asked == []
    assert "recon/adversarial" in ramped.step(latents(ramped), Progress(6), critic).logs
    assert asked == [8]
    plain = with_terms(teachers, one_hot=one_hot)
    plain.step(latents(plain), Progress(6), critic)
    assert asked == [8]


def test_critic_takes_the_pairs_that_the_losses_take(teachers: Teachers) -> None:
    given: list[PairBatch] = []

    def critic(pairs: PairBatch) -> CriticOutput:
        given.append(pairs)
        return CriticOutput(pairs.photo.mean((1, 2, 3)))

    seen: list[Reconstruction] = []
    loss = AdversarialLoss()
    loss.register_forward_hook(lambda _loss, inputs, _value: seen.append(inputs[0]))
    module = with_terms(teachers, adversarial=ReconstructionTerm(loss))
    module.step(latents(module), Progress(0), critic)
    assert given[0] is seen[0].pairs
    assert seen[0].critic is not None
    torch.testing.assert_close(seen[0].critic.hardness, given[0].photo.mean((1, 2, 3)))


def test_gradient_reaches_both_generators_and_no_teacher(teachers: Teachers) -> None:
    module = reconstruction(teachers, norm="batch")
    module.step(latents(module), Progress(0)).loss.backward()  # type: ignore[no-untyped-call]
    for generator in (module.generators.photo, module.generators.sketch):
        gradients = [p.grad for p in generator.parameters()]
        assert all(g is not None and g.isfinite().all() for g in gradients)
        assert any(g is not None and g.abs().sum() > 0 for g in gradients)
    assert all(p.grad is None for p in module.teachers.parameters())


def test_leaves_its_generators_in_the_run_folder(teachers: Teachers, tmp_path: Path) -> None:
    module = reconstruction(teachers, norm="batch")
    run = trainer(tmp_path, 3, logger=CSVLogger(tmp_path, version=0), limit_val_batches=0)
    run.fit(module, datamodule=data(teachers))
    found = load_generators(str(Path(run.log_dir or "") / "generators.safetensors"), "generators")
    expected = weights(module.generators)
    assert found.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.state_dict().items())
    assert not any(p.requires_grad for p in found.parameters())


def test_fast_dev_run_leaves_nothing(teachers: Teachers, tmp_path: Path) -> None:
    trainer(tmp_path, -1, fast_dev_run=2).fit(reconstruction(teachers), datamodule=data(teachers))
    assert not list(tmp_path.iterdir())


def test_generators_share_one_latent(teachers: Teachers) -> None:
    terms = {"one_hot": ReconstructionTerm(OneHotLoss())}
    photo = partial(UpsamplingGenerator, size=SIZE, latent_dim=8, width=8)
    sketch = partial(UpsamplingGenerator, size=SIZE, latent_dim=9, width=8)
    with pytest.raises(InputError, match=r"^generator, sketch_generator: must have one latent_dim, .* got 8 and 9$"):
        ReconstructionModule(*teachers, photo, terms, sketch)


@pytest.mark.parametrize("own", [False, True])
def test_each_modality_has_a_generator_of_its_own(teachers: Teachers, own: bool) -> None:
    asked: list[Modality] = []

    def generator(modality: Modality) -> UpsamplingGenerator:
        asked.append(modality)
        return UpsamplingGenerator(modality, SIZE, 8, 8)

    other = partial(UpsamplingGenerator, size=SIZE, latent_dim=8, width=16)
    terms = {"one_hot": ReconstructionTerm(OneHotLoss())}
    module = ReconstructionModule(*teachers, generator, terms, other if own else None)
    photo, sketch = module.generators.photo, module.generators.sketch
    assert isinstance(sketch, UpsamplingGenerator)
    assert (photo.modality, sketch.modality, sketch.width) == ("photo", "sketch", 16 if own else 8)
    assert asked == ["photo"] if own else ["photo", "sketch"]
    assert not {id(p) for p in photo.parameters()} & {id(p) for p in sketch.parameters()}


def test_term_without_weight_is_never_built_nor_evaluated(teachers: Teachers, plain_teachers: Teachers) -> None:
    """Also before the ramps of all other terms begin, when nothing has a weight."""

    def forbidden(teachers: TeacherPair) -> OneHotLoss:  # noqa: ARG001 - what a factory takes
        raise AssertionError

    later = ReconstructionTerm(OneHotLoss(), 1.0, (5, 9))
    off = ReconstructionTerm(forbidden, 0)
    module = with_terms(teachers, later=later, off=off)
    assert [
        name for name in module.step(latents(module), Progress(0)).logs if name in ("recon/off", "recon/later")
    ] == ["recon/later"]
    # A term of weight 0 is not built, so it suits these teachers too.
    module = with_terms(plain_teachers, later=later, off=ReconstructionTerm(StatisticsGuidanceLoss, 0))
    output = module.step(latents(module), Progress(0))
    assert float(output.loss) == 0
    assert "recon/off" not in output.logs


def test_learns(teachers: Teachers) -> None:
    """Teachers become surer of the images."""
    module = with_terms(teachers, one_hot=ReconstructionTerm(OneHotLoss()))
    optimizer = torch.optim.Adam(module.parameters_to_train(), 0.01)
    losses: list[float] = []
    for done in range(20):
        output = module.step(latents(module), Progress(done))
        optimizer.zero_grad()
        output.loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(output.loss))
    assert losses[-1] < 0.7 * losses[0]
