"""Errors of torch's optimisers and schedules name the argument as a config does."""

import inspect
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    MultiStepLR,
    OneCycleLR,
    StepLR,
)

from crossx.core.errors import InputError
from crossx.training.rates import OneCycle, RateFactory, make_schedule
from crossx.training.torch_errors import argument_behind

FAMILY = ["Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD"]
WRONG: dict[str, Any] = {"lr": -1.0, "eps": -1.0, "betas": (1.5, 0.9), "weight_decay": -1.0, "momentum": -1.0}


@pytest.mark.parametrize("name", FAMILY)
def test_every_argument_that_an_optimiser_checks(name: str) -> None:
    kind = getattr(torch.optim, name)
    known = WRONG.keys() & inspect.signature(kind).parameters.keys()
    assert "lr" in known
    for argument in known:
        make = partial(kind, **{argument: WRONG[argument]})
        with pytest.raises(ValueError, match="nvalid") as error:
            make([nn.Parameter(torch.zeros(1))])
        assert argument_behind(error.value, make) == f".{argument}"


def test_argument_of_a_schedule() -> None:
    make = partial(OneCycleLR, max_lr=0.1, total_steps=4, pct_start=3.0)
    with pytest.raises(ValueError, match="pct_start") as error:
        make(torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1))
    assert argument_behind(error.value, make) == ".pct_start"


def test_message_that_names_none() -> None:
    assert argument_behind(ValueError("something else"), torch.optim.SGD) == ""


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (partial(StepLR, step_size=0), r"^scheduler\.step_size: must not be 0$"),  # fails at its first step
        (partial(CosineAnnealingLR, T_max=0, eta_min=0), r"^scheduler\.T_max: must not be 0$"),
        (partial(CyclicLR, base_lr=0.1, max_lr=1.0, step_size_up=0), r"^scheduler\.step_size_up: must not be 0$"),
    ],
)
def test_schedule_that_fails_at_its_first_steps(factory: RateFactory, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_schedule(factory, torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1), steps=3)


def test_rehearsal_leaves_the_rates_alone() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1, momentum=0.5)
    schedule = make_schedule(OneCycle, optimizer, steps=4)
    fresh = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1, momentum=0.5)
    expected = OneCycle(fresh, 4)
    for _ in range(3):
        assert optimizer.param_groups[0]["lr"] == fresh.param_groups[0]["lr"]
        assert optimizer.param_groups[0]["momentum"] == fresh.param_groups[0]["momentum"]
        optimizer.step()
        schedule.step()
        fresh.step()
        expected.step()


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (partial(ExponentialLR, gamma=-1), r"^scheduler\.gamma: must keep the rate .* got -0\.1 after 1 step of Expon"),
        (partial(ExponentialLR, gamma=float("nan")), r"^scheduler\.gamma: .* got nan after 1 step "),
        (partial(StepLR, step_size=3, gamma=-0.5), r"^scheduler\.gamma: .* got -0\.05 after 3 steps of StepLR"),
        (partial(MultiStepLR, milestones=[5], gamma=-2), r"^scheduler\.gamma: .* got -0\.2 after 5 steps"),
        (partial(ExponentialLR, gamma=1e200), r"^scheduler: .* got inf after 2 steps"),
        (partial(CosineAnnealingLR, T_max=8, eta_min=-1.0), r"^scheduler\.eta_min: .* got -"),
        (partial(OneCycle, pct_start=0.5), None),
        (partial(LambdaLR, lr_lambda=lambda step: 1 - step), r"^scheduler: .* got -0\.1 after 2 steps of LambdaLR$"),
        (partial(LambdaLR, lr_lambda=lambda step: step - 1), r"^scheduler: .* got -0\.1 after 0 steps of LambdaLR$"),
        (partial(ExponentialLR, gamma=0), None),
    ],
)
def test_rates_that_a_schedule_makes_illegal(factory: RateFactory, message: str | None) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1)
    if message is None:
        make_schedule(factory, optimizer, steps=8)
        return
    with pytest.raises(InputError, match=message) as error:
        make_schedule(factory, optimizer, steps=8)
    assert "\n" not in str(error.value)
