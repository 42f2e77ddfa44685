"""Losses that exchange statistics: two gloo processes equal one process with the double batch."""

from functools import partial
from pathlib import Path

import torch
from support.pixels import guided, save_discriminator
from support.processes import run_processes
from support.runs import Teachers, data, encoding, trainer, weights
from torch import Tensor

from crossx.core.distributed import world_size
from crossx.cotraining.module import CoTrainingModule
from crossx.cotraining.schedule import Schedule
from crossx.training.players_ddp import PlayersDDP


def joint_run(teachers: Teachers, discriminator: str, folder: Path) -> dict[str, Tensor]:
    """Six batches of 8 in all, in as many processes as there are."""
    module = CoTrainingModule(guided(teachers, discriminator), encoding(teachers), Schedule(warmup=3))
    world = world_size()
    # Buffers are not broadcast in a joint run, so processes agree only if they reckon the same.
    run = trainer(folder, 6, strategy=PlayersDDP() if world > 1 else "auto", devices=world, limit_val_batches=0)
    run.fit(module, datamodule=data(teachers, batch_size=8 // world))
    return weights(module.reconstruction)


def test_two_processes_equal_one_with_the_double_batch(teachers: Teachers, tmp_path: Path) -> None:
    discriminator = save_discriminator(tmp_path / "modality.safetensors")
    start = weights(guided(teachers, discriminator))
    expected = joint_run(teachers, discriminator, tmp_path)
    first, second = run_processes(2, joint_run, teachers, discriminator, tmp_path)
    assert all(torch.equal(first[name], second[name]) for name in expected)
    for name, value in expected.items():
        torch.testing.assert_close(first[name], value, rtol=1e-4, atol=1e-5, msg=partial("{}: {}".format, name))
    moved = [(expected[name] - start[name]).abs().max() for name in start if name.startswith("generators")]
    assert torch.stack(moved).max() > 1e-3
