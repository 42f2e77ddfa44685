"""Two gloo processes equal one process with the double batch."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch import seed_everything
from support.processes import run_processes
from support.runs import Teachers, data, encoding, joint, reconstruction, trainer, weights
from torch import Tensor

from crossx.core.distributed import world_size
from crossx.cotraining.module import CoTrainingModule
from crossx.cotraining.schedule import Schedule
from crossx.encoding.module import EncoderModule
from crossx.networks.batch_norm import average_running_statistics, batch_norms
from crossx.reconstruction.generators import save_generators
from crossx.reconstruction.saved import SavedPairs
from crossx.training.players_ddp import PlayersDDP

STEPS, BATCH = 8, 8

AGREEMENT = "recon/agreement"
"""Share of a process's pairs on which both teachers agree: those that count in the adversarial term."""

Weights = dict[str, Tensor]


def train(module: CoTrainingModule | EncoderModule, teachers: Teachers, folder: Path, steps: int) -> dict[str, Tensor]:
    """Train on batches of 8 in all, in as many processes as there are; weights and the last metrics."""
    world = world_size()
    joint_run = isinstance(module, CoTrainingModule)
    strategy = (PlayersDDP() if joint_run else "ddp") if world > 1 else "auto"
    run = trainer(folder, steps, strategy=strategy, devices=world, limit_val_batches=1.0)
    run.fit(module, datamodule=data(teachers, evaluated=True, batch_size=BATCH // world))
    metrics = {name: value for name, value in run.callback_metrics.items() if name in ("val/map_all", AGREEMENT)}
    return {**weights(module), **metrics, "steps": torch.tensor(run.global_step)}


def joint_run(teachers: Teachers, folder: Path) -> Weights:
    return train(joint(teachers, "group", schedule=Schedule(warmup=2)), teachers, folder, STEPS)


def joint_run_without_norm(teachers: Teachers, folder: Path) -> Weights:
    return train(joint(teachers, "none", schedule=Schedule(warmup=2)), teachers, folder, STEPS)


def contrastive_gradient(teachers: Teachers, folder: Path) -> Weights:
    """How one step of gradient descent at rate 1 moves the encoders: the gradient."""
    pairs = partial(SavedPairs, generators=str(folder / "generators.safetensors"))
    module = encoding(teachers, pairs=pairs, optimizer=partial(torch.optim.SGD, lr=1.0))
    before = weights(module)
    after = train(module, teachers, folder, steps=1)
    return {name: before[name] - after[name] for name in before}


def averaged_statistics(teachers: Teachers, folder: Path) -> Weights:
    """Running statistics of processes that saw different images, before and after they are averaged."""
    module = joint(teachers, "batch")
    strategy = PlayersDDP() if world_size() > 1 else "auto"
    run = trainer(folder, 4, strategy=strategy, devices=world_size(), limit_val_batches=0)
    run.fit(module, datamodule=data(teachers))
    mine = [layer.running_mean.clone() for layer in batch_norms(module) if layer.running_mean is not None]
    run.save_checkpoint(folder / f"statistics{world_size()}.ckpt")
    average_running_statistics(module)
    everybody = [layer.running_mean for layer in batch_norms(module) if layer.running_mean is not None]
    return {"mine": torch.cat(mine), "everybody": torch.cat(everybody)}


@dataclass
class Everything:
    """What each check gave in one process, and in each of two."""

    one: dict[str, Weights]
    two: list[dict[str, Weights]]
    folder: Path


CHECKS = (joint_run, joint_run_without_norm, contrastive_gradient, averaged_statistics)


def run_checks(teachers: Teachers, folder: Path) -> dict[str, Weights]:
    # Latents of seed 0 bring an activation of a generator so near to 0 that rounding decides on which side it lies.
    seed_everything(1, verbose=False)
    return {check.__name__: check(teachers, folder) for check in CHECKS}


@pytest.fixture(scope="module")
def everything(teachers: Teachers, tmp_path_factory: pytest.TempPathFactory) -> Everything:
    """All checks in one launch: starting processes takes longer than the checks."""
    folder = tmp_path_factory.mktemp("two_processes")
    save_generators(folder / "generators.safetensors", reconstruction(teachers).generators)
    return Everything(run_checks(teachers, folder), run_processes(2, run_checks, teachers, folder), folder)


@pytest.mark.parametrize("check", ["joint_run", "joint_run_without_norm", "contrastive_gradient"])
def test_two_processes_equal_one_with_the_double_batch(everything: Everything, check: str) -> None:
    expected = everything.one[check]
    for found in (results[check] for results in everything.two):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            if name == AGREEMENT:
                continue
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5, msg=partial("{}: {}".format, name))


def test_the_comparison_can_fail(everything: Everything) -> None:
    """Something was learnt, and the gradient is not zero."""
    first, second = everything.one["joint_run"], everything.one["joint_run_without_norm"]
    assert first["steps"] == second["steps"] == STEPS
    assert first["val/map_all"] > 0
    runs = ("joint_run", "joint_run_without_norm")
    uneven = [[results[run][AGREEMENT].item() for results in everything.two] for run in runs]
    assert any(first != second for first, second in uneven), uneven
    moved = [g.abs().max() for g in everything.one["contrastive_gradient"].values() if g.is_floating_point()]
    assert torch.stack(moved).max() > 0.01


def test_running_statistics_are_averaged_over_processes(everything: Everything) -> None:
    first, second = (results["averaged_statistics"] for results in everything.two)
    assert not torch.allclose(first["mine"], second["mine"], atol=1e-4)
    torch.testing.assert_close(first["everybody"], (first["mine"] + second["mine"]) / 2)
    assert torch.equal(first["everybody"], second["everybody"])
    kept = torch.load(everything.folder / "statistics2.ckpt", weights_only=True)["state_dict"]
    means = torch.cat([tensor for name, tensor in kept.items() if name.endswith("running_mean")])
    torch.testing.assert_close(means, first["everybody"])
