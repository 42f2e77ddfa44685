import math
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
from crossx.reconstruction.losses import AdversarialLoss, OneHotLoss, Reconstruction
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule
from crossx.types import Criticism, LatentBatch, PairBatch


def latents(module: ReconstructionModule, count: int = 8) -> LatentBatch:
    stream = LatentDataset(0, module.latent_dim, 1)
    return stack([stream[i] for i in range(count)])


def with_terms(teachers: Teachers, **terms: ReconstructionTerm) -> ReconstructionModule:
    photo, sketch = UpsamplingGenerator(SIZE, 8, 8, 3), UpsamplingGenerator(SIZE, 8, 8, 1)
    return ReconstructionModule(*teachers, photo, sketch, terms)


def test_logs_tell_agreement_confidence_and_balance(teachers: Teachers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pairs with sure teachers: photos of classes 0 0 1 1, sketches of classes 0 1 1 1."""
    module = with_terms(teachers, one_hot=ReconstructionTerm(OneHotLoss()))
    classes = len(module.teachers.vocabulary.union)
    batch = latents(module, 4)
    for teacher, seen in ((module.teachers.photo, [0, 0, 1, 1]), (module.teachers.sketch, [0, 1, 1, 1])):
        sure = 50 * nn.functional.one_hot(torch.tensor(seen), classes).float()
        monkeypatch.setattr(teacher.network, "classify", lambda features, sure=sure: sure + 0 * features.sum())
    logs = module.step(batch, 0).logs
    assert float(logs["recon/agreement"]) == 0.75
    assert float(logs["recon/photo_confidence"]) == pytest.approx(1)
    assert float(logs["recon/sketch_confidence"]) == pytest.approx(1)
    shares = (3 / 8, 5 / 8)
    balance = -sum(p * math.log(p) for p in shares) / math.log(classes)
    assert float(logs["recon/class_entropy"]) == pytest.approx(balance, abs=1e-6)
    assert float(logs["recon/one_hot"]) == pytest.approx(0, abs=1e-6)


def test_critic_is_asked_only_when_a_term_needs_it_now(teachers: Teachers) -> None:
    asked: list[int] = []

    def critic(pairs: PairBatch) -> Criticism:
        asked.append(len(pairs.photo))
        return Criticism(torch.zeros(len(pairs.photo)))

    one_hot = ReconstructionTerm(OneHotLoss())
    ramped = with_terms(teachers, one_hot=one_hot, adversarial=ReconstructionTerm(AdversarialLoss(), 1.0, (5, 9)))
    ramped.step(latents(ramped), 5, critic)
    assert asked == []
    assert "recon/adversarial" in ramped.step(latents(ramped), 6, critic).logs
    assert asked == [8]
    plain = with_terms(teachers, one_hot=one_hot)
    plain.step(latents(plain), 6, critic)
    assert asked == [8]


def test_critic_judges_the_pairs_that_the_losses_judge(teachers: Teachers) -> None:
    judged: list[PairBatch] = []

    def critic(pairs: PairBatch) -> Criticism:
        judged.append(pairs)
        return Criticism(pairs.photo.mean((1, 2, 3)))

    seen: list[Reconstruction] = []
    loss = AdversarialLoss()
    loss.register_forward_hook(lambda _loss, inputs, _value: seen.append(inputs[0]))
    module = with_terms(teachers, adversarial=ReconstructionTerm(loss))
    module.step(latents(module), 0, critic)
    assert judged[0] is seen[0].pairs
    torch.testing.assert_close(seen[0].disagreement, judged[0].photo.mean((1, 2, 3)))


def test_gradient_reaches_both_generators_and_no_teacher(teachers: Teachers) -> None:
    module = reconstruction(teachers, norm="batch")
    module.step(latents(module), 0).loss.backward()  # type: ignore[no-untyped-call]
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
    photo, sketch = UpsamplingGenerator(SIZE, 8, 8), UpsamplingGenerator(SIZE, 9, 8, 1)
    with pytest.raises(InputError, match=r"sketch_generator\.latent_dim: 9 is not legal beside photo_generator"):
        ReconstructionModule(*teachers, photo, sketch, terms)


def test_learns(teachers: Teachers) -> None:
    """Teachers become surer of the images."""
    module = with_terms(teachers, one_hot=ReconstructionTerm(OneHotLoss()))
    optimizer = torch.optim.Adam(module.parameters_to_train(), 0.01)
    losses: list[float] = []
    for done in range(20):
        output = module.step(latents(module), done)
        optimizer.zero_grad()
        output.loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(output.loss))
    assert losses[-1] < 0.7 * losses[0]
