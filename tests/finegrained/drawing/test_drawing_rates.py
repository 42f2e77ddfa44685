"""The published schedule of learning rates."""

import pytest
import torch
from torch import nn

from crossx.core.errors import InputError
from crossx.finegrained.drawing.rates import DecayTo


def optimizer(*rates: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates])


def test_rates_decay_to_the_floor_by_hand() -> None:
    stepped = optimizer(1e-4, 2e-3)
    schedule = DecayTo(stepped, floor=1e-5, decay=0.5)
    for steps in range(4):
        for group, first in zip(stepped.param_groups, (1e-4, 2e-3), strict=True):
            assert group["lr"] == pytest.approx((first - 1e-5) * 0.5**steps + 1e-5, rel=1e-6)
        stepped.step()
        schedule.step()


def test_a_schedule_goes_on_from_its_state() -> None:
    straight, resumed = (DecayTo(optimizer(1e-3), decay=0.9) for _ in range(2))
    for _ in range(5):
        straight.optimizer.step()
        straight.step()
    resumed.load_state_dict(straight.state_dict())
    resumed.optimizer.step()
    resumed.step()
    assert resumed.get_last_lr() == pytest.approx([(1e-3 - 1e-5) * 0.9**6 + 1e-5])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"decay": 0.0}, r"DecayTo\.decay: must be in \(0, 1\], got 0\.0"),
        ({"decay": 1.1}, r"DecayTo\.decay: must be in \(0, 1\], got 1\.1"),
        ({"floor": 0.01}, r"DecayTo\.floor: must be in \[0, 0\.001\], got 0\.01"),
        ({"floor": -1.0}, r"DecayTo\.floor: must be in \[0, 0\.001\], got -1\.0"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        DecayTo(optimizer(0.002, 0.001), **arguments)
