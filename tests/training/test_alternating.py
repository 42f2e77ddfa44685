"""Any number of players that train in turn, on nothing but vectors."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from support.runs import changed, trainer, weights
from torch import Tensor, nn
from torch.utils.data import DataLoader

from crossx.core.errors import InputError
from crossx.training.alternating import AlternatingModule
from crossx.training.module import CrossxModule
from crossx.training.rates import Cosine, RateFactory
from crossx.training.rotation import Rotation
from crossx.types import Progress, StepOutput

NAMES = ("generator", "encoder", "critic")
CYCLE, WARMUP, STEPS = (1, 2, 1), 2, 11
TURNS = "GGGEECGEECG"


class Player(CrossxModule):
    """A layer on vectors of 3 numbers."""

    def __init__(self, scheduler: RateFactory | None, clip_norm: float | None = None) -> None:
        super().__init__(partial(torch.optim.SGD, lr=0.1, momentum=0.9), scheduler, clip_norm)
        self.layer = nn.Linear(3, 3)


class Three(AlternatingModule):
    """Each player brings the output of all three layers nearer to a target of its own."""

    def __init__(self, scheduler: RateFactory | None = Cosine, warmup: int = WARMUP) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.generator, self.encoder, self.critic = (Player(scheduler) for _ in NAMES)
        self.warmup = warmup
        self.asked: list[Progress] = []

    @property
    def players(self) -> Mapping[str, CrossxModule]:
        return {"generator": self.generator, "encoder": self.encoder, "critic": self.critic}

    def rotation(self, total: int | None) -> Rotation:
        return Rotation(CYCLE, self.warmup)

    def play(self, player: str, batch: Tensor, progress: Progress) -> StepOutput:
        self.asked.append(progress)
        noisy = batch + 0.1 * torch.randn_like(batch)  # a resumed run has to draw the same
        output = self.critic.layer(self.encoder.layer(self.generator.layer(noisy)))
        loss = (output - NAMES.index(player)).square().mean()
        return StepOutput(loss, {f"{player}/loss": loss.detach()})


class Watch(Callback):
    """Whose weights each batch changes, and the rates after it."""

    def __init__(self) -> None:
        self.moved: list[set[str]] = []
        self.rates: list[list[float]] = []
        self._before: dict[str, Tensor] = {}

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's signature
        batch_idx: int,
    ) -> None:
        self._before = weights(pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        self.moved.append({name.partition(".")[0] for name in changed(self._before, weights(pl_module))})
        self.rates.append([optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers])


def vectors() -> DataLoader[Tensor]:
    """Three batches an epoch, all the same: a run that resumes within an epoch reads them from the start."""
    rows = torch.randn(8, 3, generator=torch.Generator().manual_seed(1)).repeat(3, 1)
    return DataLoader(rows, batch_size=8)  # type: ignore[arg-type]  # a tensor is a list of rows


def fit(module: Three, folder: Path, steps: int = STEPS, start: Path | None = None, **arguments: Any) -> Watch:  # noqa: ANN401 - any argument of the trainer
    watch = Watch()
    save = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    run = trainer(folder, steps, [watch, save], enable_checkpointing=True, **arguments)
    run.fit(module, vectors(), ckpt_path=start)
    assert run.global_step == len(watch.moved) + (0 if start is None else int(start.stem.partition("=")[2]))
    return watch


def test_each_batch_changes_one_player(tmp_path: Path) -> None:
    module = Three()
    watch = fit(module, tmp_path)
    assert watch.moved == [{name for name in NAMES if name[0].upper() == turn} for turn in TURNS]
    assert module.asked == [Progress(done, STEPS, module.rotation(STEPS).warmup) for done in range(STEPS)]
    assert [module.player(Progress(done, STEPS))[0].upper() for done in range(STEPS)] == list(TURNS)
    assert all(p.requires_grad for p in module.parameters())


def test_each_player_has_a_schedule_over_its_own_steps(tmp_path: Path) -> None:
    watch = fit(Three(), tmp_path)
    expected: dict[str, list[float]] = {}
    for name in NAMES:
        steps = TURNS.count(name[0].upper())
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        expected[name] = [0.1]
        for _ in range(steps):
            optimizer.step()
            schedule.step()
            expected[name].append(optimizer.param_groups[0]["lr"])
    for done, rates in enumerate(watch.rates, start=1):
        assert rates == [expected[name][TURNS[:done].count(name[0].upper())] for name in NAMES]
    assert watch.rates[-1] == pytest.approx([0, 0, 0])


def tensors(folder: Path, step: int) -> list[Tensor]:
    """Weights and momenta of a checkpoint."""
    checkpoint = torch.load(folder / f"step={step}.ckpt", weights_only=True)
    momenta = [state["momentum_buffer"] for o in checkpoint["optimizer_states"] for state in o["state"].values()]
    return [*checkpoint["state_dict"].values(), *momenta]


@pytest.mark.parametrize("step", [1, 2, 4, 7, 10])
def test_resumed_run_is_the_straight_run(tmp_path: Path, step: int) -> None:
    straight = fit(Three(), tmp_path / "straight")
    resumed = fit(Three(), tmp_path / "resumed", start=tmp_path / f"straight/step={step}.ckpt")
    assert resumed.rates == straight.rates[step:]
    assert resumed.moved == straight.moved[step:]
    expected, found = tensors(tmp_path / "straight", STEPS), tensors(tmp_path / "resumed", STEPS)
    assert len(expected) == 2 * 3 * 2  # weight and bias of three layers, and the momentum of each
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_players_clip_by_their_own_norm(tmp_path: Path) -> None:
    module = Three(scheduler=None, warmup=0)
    module.generator.clip_norm = 0.001
    before = weights(module)
    fit(module, tmp_path, steps=2)
    after = weights(module)

    def moved(player: str) -> float:
        names = [name for name in before if name.startswith(player)]
        return math.sqrt(sum(float((after[n] - before[n]).square().sum()) for n in names))

    assert moved("generator") == pytest.approx(0.1 * 0.001, rel=0.01)
    assert moved("encoder") > 0.001
    assert moved("critic") == 0


def test_a_try_out_gives_each_player_a_turn(tmp_path: Path) -> None:
    """Whatever the warm-up, and whether or not a schedule of torch fits so short a run."""
    module, watch = Three(partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=400), warmup=1000), Watch()
    trainer(tmp_path, -1, [watch], fast_dev_run=3).fit(module, vectors())
    assert watch.moved == [{name} for name in NAMES]


def late(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)


@pytest.mark.parametrize("scheduler", [late, partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=STEPS)])
def test_schedule_of_torch_must_fit_the_steps_of_its_player(
    tmp_path: Path, scheduler: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler]
) -> None:
    module = Three()
    module.encoder.make_scheduler = scheduler
    with pytest.raises(
        InputError,
        match=r"^model\.encoder\.scheduler: must fit the 4 steps of its phase, got CosineAnnealingLR over 11",
    ):
        fit(module, tmp_path)
    assert module.asked == []


@pytest.mark.parametrize(("done", "warmup"), [(2, 3), (6, 6), (9, 9)])
def test_a_warm_up_that_is_not_over_follows_the_new_length(tmp_path: Path, done: int, warmup: int) -> None:
    """What is done stays done: a warm-up of 9 batches that becomes one of 3 ends at once where 6 are over."""
    first = Three(warmup=9)
    checkpoint = tmp_path / "last.ckpt"
    run = trainer(tmp_path, done, [])
    run.fit(first, vectors())
    run.save_checkpoint(checkpoint)
    second = Three(warmup=3)
    longer = trainer(tmp_path, 12, [])
    longer.fit(second, vectors(), ckpt_path=checkpoint, weights_only=True)
    assert second.present_rotation(12).warmup == warmup
    assert {now.warmup for now in second.asked} == {warmup}
