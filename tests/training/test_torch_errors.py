"""Errors of torch's optimisers and schedules name the argument as a config does."""

import inspect
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

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
