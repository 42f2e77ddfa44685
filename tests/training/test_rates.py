"""Schedules that follow the run: equal to torch's, over the steps of their own phase, also after a resume."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import ENCODING, RECONSTRUCTION, Config, config, edit, joint_config, part, run
from support.runs import Teachers
from torch import nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)

from crossx.core.errors import InputError
from crossx.encoding.encoders import TeacherEncoder
from crossx.encoding.losses import EncodingTerm, SupConLoss
from crossx.encoding.module import EncoderModule
from crossx.training.rates import Cosine, OneCycle, RateFactory, make_schedule


def optimizer(kind: type[SGD | Adam] = SGD, rates: tuple[float, ...] = (0.1,)) -> Optimizer:
    return kind([{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates])


def rates(schedule: LRScheduler, steps: int) -> list[Any]:
    """Rates and momenta before the first step, and after each one."""
    found = [settings(schedule.optimizer)]
    for _ in range(steps):
        schedule.optimizer.step()
        schedule.step()
        found.append(settings(schedule.optimizer))
    return found


def settings(optimizer: Optimizer) -> list[tuple[float, Any]]:
    return [(group["lr"], group.get("betas", group.get("momentum"))) for group in optimizer.param_groups]


@pytest.mark.parametrize("eta_min", [0.0, 0.01])
@pytest.mark.parametrize("steps", [1, 2, 17])
def test_cosine_is_that_of_torch(steps: int, eta_min: float) -> None:
    found = rates(Cosine(optimizer(rates=(0.1, 0.05)), steps, eta_min), steps)
    assert found == rates(CosineAnnealingLR(optimizer(rates=(0.1, 0.05)), steps, eta_min), steps)
    assert [rate for rate, _ in found[-1]] == pytest.approx([eta_min] * 2)


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize(("steps", "pct_start"), [(4, 0.5), (20, 0.3)])
def test_one_cycle_is_that_of_torch(kind: type[SGD | Adam], steps: int, pct_start: float) -> None:
    found = rates(OneCycle(optimizer(kind, (0.1, 0.05)), steps, pct_start), steps - 1)
    reference = OneCycleLR(optimizer(kind, (0.1, 0.05)), [0.1, 0.05], total_steps=steps, pct_start=pct_start)
    assert found == rates(reference, steps - 1)
    assert max(row[0][0] for row in found) == pytest.approx(0.1)
    assert found[-1][0][0] < 1e-5


def resumed(factory: Callable[..., LRScheduler], first: int, second: int, done: int, **arguments: float) -> list[float]:
    """Rates from `done` on of a run over `second` steps that was begun over `first`."""
    begun, again = (factory(optimizer(), steps, **arguments) for steps in (first, second))
    rates(begun, done)
    again.optimizer.load_state_dict(begun.optimizer.state_dict())
    again.load_state_dict(begun.state_dict())
    return [row[0][0] for row in rates(again, second - done)]


@pytest.mark.parametrize(("first", "second", "done"), [(8, 20, 3), (8, 20, 8), (20, 12, 8)])
def test_cosine_goes_on_over_the_new_length(first: int, second: int, done: int) -> None:
    expected = [row[0][0] for row in rates(CosineAnnealingLR(optimizer(), second, 0.01), second)]
    found = resumed(Cosine, first, second, done, eta_min=0.01)
    assert found == pytest.approx(expected[done:])
    assert found[-1] == pytest.approx(0.01)


@pytest.mark.parametrize(("first", "second", "done"), [(8, 20, 3), (8, 20, 8), (20, 12, 8)])
def test_one_cycle_goes_on_over_the_new_length(first: int, second: int, done: int) -> None:
    expected = [row[0][0] for row in rates(OneCycle(optimizer(), second), second)]
    found = resumed(OneCycle, first, second, done)
    assert found[1:] == pytest.approx(expected[done + 1 :])  # the first one is that of the checkpoint


@pytest.mark.parametrize("schedule", [Cosine, OneCycle])
def test_resume_over_the_same_length_changes_nothing(schedule: Callable[..., LRScheduler]) -> None:
    assert resumed(schedule, 9, 9, 4) == [row[0][0] for row in rates(schedule(optimizer(), 9), 9)][4:]


def test_steps_are_filled_in_where_they_are_asked_for() -> None:
    schedule = make_schedule(partial(Cosine, eta_min=0.02), optimizer(), 7)
    assert isinstance(schedule, Cosine)
    assert (schedule.T_max, schedule.eta_min) == (7, 0.02)
    assert isinstance(make_schedule(partial(StepLR, step_size=3), optimizer(), 7), StepLR)
    with pytest.raises(
        InputError, match=r"^scheduler: follows the run's length, which is not known; set trainer\.max_st"
    ):
        make_schedule(Cosine, optimizer(), None)


@pytest.mark.parametrize(
    ("factory", "planned"),
    [
        (partial(CosineAnnealingLR, T_max=8), "CosineAnnealingLR over 8"),
        (partial(OneCycleLR, max_lr=0.1, total_steps=6), "OneCycleLR over 6"),
        (partial(OneCycleLR, max_lr=0.1, epochs=2, steps_per_epoch=4), "OneCycleLR over 8"),
        (partial(PolynomialLR, total_iters=5), "PolynomialLR over 5"),
        (partial(LinearLR, start_factor=1, end_factor=0, total_iters=4), "LinearLR over 4"),
        (lambda o: SequentialLR(o, [ConstantLR(o, 0.1, 2), CosineAnnealingLR(o, 4)], [2]), "SequentialLR over 6"),
        (lambda o: SequentialLR(o, [PolynomialLR(o, 3), CosineAnnealingLR(o, 2)], [5]), "SequentialLR over 3"),
        (lambda o: ChainedScheduler([ConstantLR(o, 0.1, 2), CosineAnnealingLR(o, 4)]), "ChainedScheduler over 4"),
    ],
)
def test_schedule_of_torch_must_fit(factory: RateFactory, planned: str) -> None:
    message = (
        rf"^scheduler: must fit the 7 steps of its phase, got {planned}; Cosine and OneCycle follow the run's length$"
    )
    with pytest.raises(InputError, match=message):
        make_schedule(factory, optimizer(), 7)
    make_schedule(factory, optimizer(), None)  # a run of unknown length
    make_schedule(factory, optimizer(), 7, try_out=True)


@pytest.mark.parametrize(
    "factory",
    [
        partial(PolynomialLR, total_iters=7),
        partial(LinearLR, start_factor=0.1, total_iters=2),
        partial(ConstantLR, factor=0.1, total_iters=2),
        lambda o: SequentialLR(o, [ConstantLR(o, 0.1, 2), CosineAnnealingLR(o, 5)], [2]),
        lambda o: ChainedScheduler([ConstantLR(o, 0.1, 2), CosineAnnealingLR(o, 7)]),
    ],
)
def test_schedule_of_torch_that_fits_or_never_ends_is_taken(factory: RateFactory) -> None:
    make_schedule(factory, optimizer(), 7)


def test_mistakes_of_the_arguments_are_the_user_s() -> None:
    with pytest.raises(InputError, match=r"^scheduler\.pct_start: Expected float between 0 and 1 .*got 2\.0"):
        make_schedule(partial(OneCycle, pct_start=2.0), optimizer(), 7)
    with pytest.raises(InputError, match=r"^scheduler: must be a learning-rate schedule of torch, got list$"):
        make_schedule(lambda optimizer: [optimizer], optimizer(), 7)  # type: ignore[arg-type]


def with_schedulers(teachers: Teachers, folder: Path, name: str, **arguments: Any) -> Config:  # noqa: ANN401 - any argument
    """A joint run of 8 batches: the warm-up and 4 of the generators, and 3 of the encoders."""
    content = joint_config(teachers, folder)
    edit(content, "trainer.max_steps", 8)
    for side in ("reconstruction", "encoding"):
        edit(content, f"model.{side}.scheduler", part(name, **arguments))
    return content


@pytest.mark.parametrize("name", ["Cosine", "OneCycle"])
def test_each_side_of_a_joint_run_has_its_own_length(teachers: Teachers, tmp_path: Path, name: str) -> None:
    cli = run("fit", tmp_path / "config.yaml", with_schedulers(teachers, tmp_path, name))
    for config_, steps in zip(cli.trainer.lr_scheduler_configs, (5, 3), strict=True):
        schedule = config_.scheduler
        assert isinstance(schedule, Cosine | OneCycle)
        assert (schedule.T_max if isinstance(schedule, Cosine) else schedule.total_steps) == steps
        assert schedule.last_epoch == steps


def test_resume_with_more_steps_ends_at_the_lowest_rate(teachers: Teachers, tmp_path: Path) -> None:
    content = with_schedulers(teachers, tmp_path, "Cosine", eta_min=0.0001)
    run("fit", tmp_path / "config.yaml", content)
    last = tmp_path / "run/version_0/checkpoints/last.ckpt"
    edit(content, "trainer.max_steps", 16)
    edit(content, "trainer.logger.version", 1)
    cli = run("fit", tmp_path / "longer.yaml", content, "--ckpt_path", str(last))
    assert cli.trainer.global_step == 16
    assert [c.scheduler.last_epoch for c in cli.trainer.lr_scheduler_configs] == [9, 7]
    assert [o.param_groups[0]["lr"] for o in cli.trainer.optimizers] == pytest.approx([0.0001, 0.0001])


@pytest.mark.parametrize("name", ["Cosine", "OneCycle"])
@pytest.mark.parametrize("longer", [24, 7])
def test_a_warm_up_that_is_a_share_stays_what_it_was_after_a_resume(
    teachers: Teachers, tmp_path: Path, name: str, longer: int
) -> None:
    """Half of 6 batches; as half of 24 it would take back encoder steps that are done."""
    content = with_schedulers(teachers, tmp_path, name)
    edit(content, "model.schedule", {"warmup": 0.5, "generator_steps": 1, "encoder_steps": 2})
    edit(content, "trainer.max_steps", 6)
    run("fit", tmp_path / "config.yaml", content)
    last = tmp_path / "run/version_0/checkpoints/last.ckpt"
    edit(content, "trainer.max_steps", longer)
    edit(content, "trainer.logger.version", 1)
    cli = run("fit", tmp_path / "longer.yaml", content, "--ckpt_path", str(last))
    assert cli.trainer.global_step == longer
    generators = 3 + len(range(3, longer, 3))
    schedules = [c.scheduler for c in cli.trainer.lr_scheduler_configs]
    assert [s.last_epoch for s in schedules] == [generators, longer - generators]
    for schedule, steps in zip(schedules, (generators, longer - generators), strict=True):
        assert isinstance(schedule, Cosine | OneCycle)
        assert (schedule.T_max if isinstance(schedule, Cosine) else schedule.total_steps) == steps


def test_two_rates_do_not_end_at_one(teachers: Teachers) -> None:
    factory = partial(Cosine, eta_min=0.01)
    terms = {"sup_con": EncodingTerm(SupConLoss())}
    made = EncoderModule(*teachers, partial(TeacherEncoder, network_rate=0.2), terms, scheduler=factory)
    with pytest.raises(InputError, match=r"^scheduler\.eta_min: must be 0 where a part has its own share"):
        made.optimizer_and_schedule(4)
    made.make_scheduler = Cosine
    made.optimizer_and_schedule(4)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("CosineAnnealingLR", {"T_max": 8}), ("OneCycleLR", {"max_lr": 0.001, "total_steps": 8})],
)
def test_torch_s_own_are_refused_before_anything_trains(
    teachers: Teachers, tmp_path: Path, name: str, arguments: dict[str, Any]
) -> None:
    """The run has 8 steps; none of its two sides has."""
    content = with_schedulers(teachers, tmp_path, f"torch.optim.lr_scheduler.{name}", **arguments)
    with pytest.raises(
        InputError, match=rf"^model\.reconstruction\.scheduler: must fit the 5 steps of its phase, got {name} over 8"
    ) as caught:
        run("fit", tmp_path / "config.yaml", content)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize("model", [RECONSTRUCTION, ENCODING])
def test_torch_s_own_are_refused_in_runs_of_one_side_too(teachers: Teachers, tmp_path: Path, model: Config) -> None:
    content = config(teachers, tmp_path, model)
    edit(content, "model.scheduler", part("torch.optim.lr_scheduler.CosineAnnealingLR", T_max=3))
    if "EncoderModule" in model["class_path"]:
        edit(content, "model.pairs", part("RealPairs"))
    with pytest.raises(
        InputError, match=r"^model\.scheduler: must fit the 4 steps of its phase, got CosineAnnealingLR over 3"
    ):
        run("fit", tmp_path / "config.yaml", content)
    edit(content, "model.scheduler.T_max", 4)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*lr_scheduler.step.*")
        assert run("fit", tmp_path / "config.yaml", content).trainer.global_step == 4
