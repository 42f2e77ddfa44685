"""Learning-rate schedules over the steps of their own phase, and the check that others fit it."""

import inspect
import math
import warnings
from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from typing import Any

from lightning.pytorch.cli import LRSchedulerCallable
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
)

from crossx.core.errors import InputError
from crossx.core.factories import plain_factory
from crossx.training.torch_errors import given_below_zero, named_errors


class RateSchedule(LRScheduler):
    """A learning-rate schedule over the optimiser steps of its phase.

    A subclass takes `optimizer` and `steps` as its first two arguments; the module fills them in. After a resume with
    another number of steps it goes on over the new number.
    """


class Cosine(CosineAnnealingLR, RateSchedule):
    """Half a cosine from the optimiser's rate down to `eta_min` (SGDR without restarts, arXiv 1608.03983).

    Args:
        optimizer: The optimiser.
        steps: Optimiser steps of the phase; filled in by the module.
        eta_min: Rate at the end, >= 0.
    """

    def __init__(self, optimizer: Optimizer, steps: int, eta_min: float = 0.0) -> None:
        super().__init__(optimizer, steps, eta_min)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the position; where the phase has another length now, the rate moves onto the new curve."""
        same = state_dict["T_max"] == self.T_max
        super().load_state_dict({**state_dict, "T_max": self.T_max})
        if not same:
            rates = self._get_closed_form_lr()
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
            self._last_lr = list(rates)


class OneCycle(OneCycleLR, RateSchedule):
    """Up to the optimiser's rate and down to nearly 0 (super-convergence, arXiv 1708.07120).

    Args:
        optimizer: The optimiser; its rate is the highest of the cycle. Its momentum (beta1 of Adam) falls from 0.95 to
            0.85 while the rate rises, and rises again.
        steps: Optimiser steps of the phase; filled in by the module.
        pct_start: Share of the steps on which the rate rises, in (0, 1).
    """

    def __init__(self, optimizer: Optimizer, steps: int, pct_start: float = 0.3) -> None:
        peaks = [group["lr"] for group in optimizer.param_groups]
        super().__init__(optimizer, max_lr=peaks, total_steps=steps, pct_start=pct_start)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the position on a cycle over the steps that the phase has now."""
        own = {"total_steps": self.total_steps, "_schedule_phases": self._schedule_phases}
        same = state_dict["total_steps"] == self.total_steps
        super().load_state_dict({**state_dict, **own})
        if not same:
            rates = self.get_lr()  # closed form; it sets the momentum too
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
            self._last_lr = list(rates)


RateFactory = Callable[[Optimizer, int], RateSchedule] | LRSchedulerCallable
"""What a module's `scheduler` is: a factory of a `RateSchedule`, or of a schedule of torch."""


def make_schedule(
    factory: RateFactory,
    optimizer: Optimizer,
    steps: int | None,
    try_out: bool = False,
    field: str = "scheduler",
) -> LRScheduler:
    """Build a learning-rate schedule for a phase.

    Args:
        factory: Takes the optimiser, and `steps` if it has an argument of that name.
        optimizer: The optimiser of the phase.
        steps: Optimiser steps of the phase; None where they are not known.
        try_out: Whether the run only tries a few batches, which no schedule has to fit.
        field: Where the user set the schedule, for messages.

    Raises:
        InputError: When the schedule cannot be stepped with the optimiser, does not fit the phase, or gives a rate that
            is negative or not finite.
    """
    make = plain_factory(factory)
    follows = "steps" in inspect.signature(make).parameters
    if follows and steps is None:
        raise InputError(f"{field}: follows the run's length, which is not known; set trainer.max_steps")
    make = partial(make, steps=max(steps or 0, 1)) if follows else make
    with named_errors(field, factory):
        schedule = make(optimizer)
        planned = _planned_steps(schedule)
        found = _wrong_rate(make, optimizer, min(steps or 1, planned or _REHEARSED, _REHEARSED))
    if isinstance(schedule, ReduceLROnPlateau):
        raise InputError(
            f"{field}: must be a schedule over steps, got ReduceLROnPlateau, which waits for a validation metric; "
            "schedules are stepped with the optimiser"
        )
    if not try_out and None not in (steps, planned) and planned != steps:
        raise InputError(
            f"{field}: must fit the {steps} steps of its phase, got {type(schedule).__name__} over {planned}; "
            "Cosine and OneCycle follow the run's length"
        )
    if not isinstance(schedule, LRScheduler):
        raise InputError(f"{field}: must be a learning-rate schedule of torch, got {type(schedule).__name__}")
    if found is not None:
        raise InputError(
            f"{field}{given_below_zero(factory)}: must keep the rate at least 0 and finite, got {found[1]:g} after "
            f"{found[0]} step{'s' if found[0] != 1 else ''} of {type(schedule).__name__}"
        )
    return schedule


_REHEARSED = 10_000
"""Steps whose rates are looked at before a run; they take less than a second."""


def _wrong_rate(make: Callable[[Optimizer], object], optimizer: Optimizer, steps: int) -> tuple[int, float] | None:
    """The first rate that is negative or not finite, after the number of steps before it; None where all are right.

    A wrong argument of torch may show only in the first step (`step_size: 0`).
    """
    for done, rates in enumerate(_rates(make, optimizer, steps)):
        if wrong := [rate for rate in rates if not 0 <= rate < math.inf]:
            return done, wrong[0]
    return None


def _rates(make: Callable[[Optimizer], object], optimizer: Optimizer, steps: int) -> Iterator[list[float]]:
    """Rates of a schedule before its first step and after each one, on a copy of the optimiser's."""
    shadow = copy(optimizer)
    shadow.param_groups = [dict(group) for group in optimizer.param_groups]
    schedule = make(shadow)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the optimiser has not stepped before
        for _ in range(steps):
            yield [float(group["lr"]) for group in shadow.param_groups]
            if not isinstance(schedule, LRScheduler) or isinstance(schedule, ReduceLROnPlateau):
                return
            schedule.step()
        yield [float(group["lr"]) for group in shadow.param_groups]


def _planned_steps(schedule: object) -> int | None:
    """Steps after which a schedule of torch raises, climbs again or stays at 0; None for those that go on for ever."""
    if isinstance(schedule, RateSchedule):
        return None
    if isinstance(schedule, OneCycleLR):
        return int(schedule.total_steps)
    if isinstance(schedule, CosineAnnealingLR):
        return int(schedule.T_max)
    if isinstance(schedule, PolynomialLR) or (isinstance(schedule, LinearLR) and schedule.end_factor == 0):
        return int(schedule.total_iters)
    if isinstance(schedule, SequentialLR):
        starts = [0, *schedule._milestones]
        for start, stop, part in zip(starts, [*starts[1:], math.inf], schedule._schedulers, strict=True):
            planned = _planned_steps(part)
            if planned is not None and start + planned < stop:
                return start + planned
    if isinstance(schedule, ChainedScheduler):
        return min((end for part in schedule._schedulers if (end := _planned_steps(part)) is not None), default=None)
    return None
