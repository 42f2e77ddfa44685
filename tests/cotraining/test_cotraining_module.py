from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from support.runs import (
    Teachers,
    changed,
    data,
    encoding,
    generator,
    joint,
    reconstruction,
    save_teachers,
    trainer,
    weights,
)
from torch import Tensor

from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.cotraining.schedule import Schedule
from crossx.encoding.critics import LastLayerCritic
from crossx.encoding.encoders import NetworkEncoder
from crossx.encoding.losses import SupConLoss
from crossx.encoding.losses.base import EncodingTerm
from crossx.encoding.module import EncoderModule
from crossx.networks.small_resnet import SmallResNet
from crossx.pairs.latents import LatentDataset
from crossx.pairs.replay import Replay
from crossx.pairs.sources import LivePairs, RealPairs
from crossx.reconstruction.losses import AdversarialLoss
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule
from crossx.teachers.teacher import FrozenTeacher
from crossx.types import LatentBatch, PairBatch


class Watch(Callback):
    """Writes down, batch by batch, what kind it is, what changes, and where the schedules are."""

    def __init__(self) -> None:
        self.kinds: list[type] = []
        self.changed: list[set[str]] = []
        self.rates: list[list[float]] = []
        self._before: dict[str, Tensor] = {}

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        assert trainer.global_step == len(self.kinds)
        self.kinds.append(type(batch))
        self._before = weights(pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        self.changed.append(changed(self._before, weights(pl_module)))
        self.rates.append([optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers])


def halve(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)


def test_each_phase_changes_its_own_side_only(teachers: Teachers, tmp_path: Path) -> None:
    module = CoTrainingModule(
        reconstruction(teachers, norm="batch", scheduler=halve),
        encoding(teachers, norm="batch", scheduler=halve),
        Schedule(warmup=1, generator_steps=1, encoder_steps=2),
    )
    names = set(module.state_dict())
    sides = {side: {name for name in names if name.startswith(f"{side}.")} for side in ("reconstruction", "encoding")}
    assert set.union(*sides.values()) == names
    watch = Watch()
    trainer(tmp_path, max_steps=8, callbacks=[watch], limit_val_batches=0).fit(module, datamodule=data(teachers))
    latents, pairs = LatentBatch, PairBatch
    assert watch.kinds == [latents, latents, pairs, pairs, latents, pairs, pairs, latents]
    for kind, moved in zip(watch.kinds, watch.changed, strict=True):
        side = sides["reconstruction" if kind is LatentBatch else "encoding"]
        assert moved <= side
        running = {name for name in side if "running" in name or "tracked" in name}
        assert running
        assert running <= moved
        assert len(moved) > len(running)
    done = [(watch.kinds[: i + 1].count(latents), watch.kinds[: i + 1].count(pairs)) for i in range(8)]
    assert watch.rates == [[0.01 * 0.5**n for n in counts] for counts in done]


def test_global_step_is_the_number_of_batches(teachers: Teachers, tmp_path: Path) -> None:
    watch = Watch()
    run = trainer(tmp_path, max_steps=7, callbacks=[watch], limit_val_batches=0)
    run.fit(joint(teachers), datamodule=data(teachers))
    assert run.global_step == len(watch.kinds) == 7


def test_teachers_stay_as_they_are_and_out_of_the_checkpoint(teachers: Teachers, tmp_path: Path) -> None:
    module = joint(teachers, norm="batch", kind="head")
    frozen = [m for m in module.modules() if isinstance(m, FrozenTeacher)]
    assert len(frozen) == 2
    before = [teacher.hash for teacher in frozen]
    save = ModelCheckpoint(tmp_path, filename="end", save_top_k=1)
    run = trainer(tmp_path, max_steps=20, callbacks=[save], enable_checkpointing=True)
    run.fit(module, datamodule=data(teachers, evaluated=True))
    assert run.callback_metrics["val/map_all"] > 0
    assert [teacher.fingerprint() for teacher in frozen] == before
    assert not any(m.training for teacher in frozen for m in teacher.modules())
    checkpoint = torch.load(tmp_path / "end.ckpt", weights_only=True)
    assert checkpoint["crossx"]["teachers"] == dict(zip(("photo", "sketch"), before, strict=True))
    of_teachers = {tensor.data_ptr() for teacher in frozen for tensor in teacher.network.state_dict().values()}
    assert not of_teachers & {tensor.data_ptr() for tensor in module.state_dict().values()}
    assert not [name for name in checkpoint["state_dict"] if "teacher" in name]
    counts = [len(group["params"]) for state in checkpoint["optimizer_states"] for group in state["param_groups"]]
    trained = [len(list(child.parameters_to_train())) for child in (module.reconstruction, module.encoding)]
    assert counts == trained


def test_statistics_term_works_in_a_joint_run(teachers: Teachers, tmp_path: Path) -> None:
    run = trainer(tmp_path, max_steps=4, limit_val_batches=0)
    run.fit(joint(teachers), datamodule=data(teachers))
    assert run.callback_metrics["recon/statistics"] > 0.1


def test_statistics_term_is_zero_without_batch_norm(plain_teachers: Teachers, tmp_path: Path) -> None:
    run = trainer(tmp_path, max_steps=4, limit_val_batches=0)
    run.fit(joint(plain_teachers), datamodule=data(plain_teachers))
    assert run.callback_metrics["recon/statistics"] == 0
    assert run.callback_metrics["recon/one_hot"] > 0


def test_critic_pushes_generators_and_nothing_else(teachers: Teachers, tmp_path: Path) -> None:
    """The adversarial term reaches the generators through encoders that neither move nor keep gradients."""
    module = joint(teachers, norm="batch", schedule=Schedule(warmup=2))
    before = weights(module.encoding)
    run = trainer(tmp_path, max_steps=2, limit_val_batches=0)
    run.fit(module, datamodule=data(teachers, batch_size=16))
    assert run.callback_metrics["recon/adversarial"] < 0
    assert not changed(before, weights(module.encoding))
    assert all(p.grad is None for p in module.encoding.parameters())
    assert module.encoding.training


def test_each_side_is_clipped_by_its_own_norm(teachers: Teachers, tmp_path: Path) -> None:
    sgd = torch.optim.SGD
    module = CoTrainingModule(
        reconstruction(teachers, optimizer=lambda p: sgd(p, lr=1.0), clip_norm=0.01),
        encoding(teachers, optimizer=lambda p: sgd(p, lr=1.0), clip_norm=0.1),
    )
    steps: list[float] = []
    for count in (1, 2):  # a generator step, then that and an encoder step
        side = module.reconstruction if count == 1 else module.encoding
        before = weights(side)
        trainer(tmp_path, max_steps=count, limit_val_batches=0).fit(module, datamodule=data(teachers))
        after = weights(side)
        steps.append(sum(float((after[n] - before[n]).square().sum()) for n in before) ** 0.5)
    assert steps == pytest.approx([0.01, 0.1], rel=0.01)


def test_fast_dev_run_trains_both_sides(teachers: Teachers, tmp_path: Path) -> None:
    module = joint(teachers, schedule=Schedule(warmup=1000))
    watch = Watch()
    run = trainer(tmp_path, max_steps=-1, callbacks=[watch], fast_dev_run=2)
    run.fit(module, datamodule=data(teachers, evaluated=True))
    assert watch.kinds == [LatentBatch, PairBatch]
    assert "val/map_all" in run.callback_metrics


def test_sides_must_share_their_teachers(teachers: Teachers, plain_teachers: Teachers, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^model: reconstruction and encoding must name one photo teacher; set teachers\.photo alone$"
    ):
        CoTrainingModule(reconstruction(teachers), encoding(plain_teachers))
    copies = save_teachers(tmp_path)
    with pytest.raises(InputError, match=r"must name one sketch teacher; set teachers\.sketch alone"):
        CoTrainingModule(reconstruction(teachers), encoding(Teachers(teachers.photo, copies.sketch)))


def test_pairs_of_a_joint_run_are_those_of_its_generators(teachers: Teachers) -> None:
    """There is no place for other sources; only a pool of earlier pairs can stand before them."""
    module = joint(teachers)
    source = module.pair_source
    assert isinstance(source, LivePairs)
    assert (source.latent_dim, source.num_classes) == (module.latent_dim, len(module.teachers.vocabulary))
    assert not module.encoding.pairs
    stream = LatentDataset(0, module.latent_dim, 1)
    latents = stack([stream[i] for i in range(4)])
    assert torch.equal(source.sample(latents).photo, module.reconstruction.sample(latents).photo)
    assert torch.equal(module.sample(latents).photo, module.reconstruction.sample(latents).photo)
    with pytest.raises(TypeError, match="unexpected keyword argument 'pairs'"):
        joint(teachers, pairs=RealPairs)
    pool = joint(teachers, replay=partial(Replay, size=40)).pair_source
    assert isinstance(pool, Replay)
    assert isinstance(pool.source, LivePairs)


def test_published_adversary_needs_a_critic_that_scores_classes(teachers: Teachers) -> None:
    torch.manual_seed(0)
    terms = {"adversarial": ReconstructionTerm(AdversarialLoss("published"))}
    generators = ReconstructionModule(*teachers, generator, terms)
    message = (
        r"^model\.reconstruction\.terms\.adversarial: form published needs an encoding\.critic that scores classes"
    )
    with pytest.raises(InputError, match=message):
        CoTrainingModule(generators, encoding(teachers))
    as_long_as_features = partial(NetworkEncoder, network=partial(SmallResNet, widths=(8, 8)), dim=8)
    objective = {"sup_con": EncodingTerm(SupConLoss())}
    CoTrainingModule(generators, EncoderModule(*teachers, as_long_as_features, objective, critic=LastLayerCritic))
