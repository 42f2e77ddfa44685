"""Averages, restarts and meta-weights of the generators are the same in all processes."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from support.processes import run_processes
from support.runs import Teachers, changed, data, encoding, reconstruction, trainer, weights
from torch import Tensor

from crossx.core.distributed import world_size
from crossx.cotraining.module import CoTrainingModule
from crossx.training.limits import joint_ddp
from crossx.training.schedule import Schedule

BATCH = 8
RUNS: dict[str, tuple[bool, dict[str, Any]]] = {
    "drawn_anew": (True, {"ema_decay": 0.8, "reinitialise_every": 2}),
    "first_layers_alone": (False, {"ema_decay": 0.8, "reinitialise_every": 2, "reinitialise": "first"}),
    "meta_learnt": (True, {"ema_decay": 0.8, "meta_every": 2}),
}
"""Whether the run is joint, and arguments of the generators' side."""

Weights = dict[str, Tensor]


def fit(teachers: Teachers, folder: Path, joint: bool, arguments: dict[str, Any]) -> Weights:
    """Five batches of 8 in all, in as many processes as there are."""
    world = world_size()
    module = reconstruction(teachers, "group", **arguments)
    root = CoTrainingModule(module, encoding(teachers, "group"), Schedule(1, 2, 1)) if joint else module
    several = joint_ddp() if joint else "ddp"
    run = trainer(folder, 5, strategy=several if world > 1 else "auto", devices=world, limit_val_batches=0)
    run.fit(root, datamodule=data(teachers, batch_size=BATCH // world))
    return weights(module)


def fits(teachers: Teachers, folder: Path) -> dict[str, Weights]:
    return {name: fit(teachers, folder, *settings) for name, settings in RUNS.items()}


class Fits(NamedTuple):
    """What each run gave in one process, and in each of two."""

    one: dict[str, Weights]
    two: list[dict[str, Weights]]


@pytest.fixture(scope="module")
def everything(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Fits:
    folder = tmp_path_factory.mktemp("generator_weights")
    return Fits(fits(teachers, folder), run_processes(2, fits, teachers, folder))


@pytest.mark.parametrize("run", RUNS)
def test_processes_agree_with_each_other_and_with_one(everything: Fits, run: str) -> None:
    expected = everything.one[run]
    first, second = (results[run] for results in everything.two)
    assert first.keys() == expected.keys()
    assert changed(first, second) == set()
    for name, value in expected.items():
        torch.testing.assert_close(first[name], value, rtol=1e-4, atol=1e-5, msg=partial("{}: {}".format, name))


def test_the_comparison_can_fail(everything: Fits) -> None:
    """The average is not what learns, and the kinds differ."""
    found = {name: weights["average.module.photo.start.0.weight"] for name, weights in everything.one.items()}
    for name, average in found.items():
        assert not torch.allclose(average, everything.one[name]["generators.photo.start.0.weight"], atol=1e-5)
    assert len({float(average.abs().sum()) for average in found.values()}) == len(found)
