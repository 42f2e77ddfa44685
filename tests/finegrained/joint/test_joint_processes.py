"""The joint run in two gloo processes: equal weights and one bank, that of one process with the double batch."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import seed_everything
from support.drawing_runs import instances, refinement, semi_supervised
from support.processes import run_processes
from support.runs import trainer, weights
from torch import Tensor

from crossx.core.distributed import world_size
from crossx.finegrained.joint.schedule import JointSchedule
from crossx.training.players_ddp import PlayersDDP

State = dict[str, Tensor]


def run(folder: Path, schedule: JointSchedule, steps: int) -> State:
    """Train on 4 labelled pairs and 6 unlabelled photos in all, in as many processes as there are."""
    world = world_size()
    module = semi_supervised(folder, "group", schedule, refinement=refinement(), refresh=100)
    module.generator.generator.scale.fill_(0.05)
    seed_everything(5, verbose=False)  # behind the parts, which seed torch: Lightning seeds the processes of DDP anew
    fit = trainer(
        folder,
        steps,
        strategy=PlayersDDP() if world > 1 else "auto",
        devices=world,
        limit_val_batches=0,
        num_sanity_val_steps=0,
    )
    fit.fit(module, datamodule=instances(batch_size=4 // world, free_batch_size=6 // world))
    bank = {f"bank.{name}": tensor for name, tensor in module.bank.state_dict().items()}
    return {**weights(module), **bank, "steps": torch.tensor(fit.global_step)}


def everything(folder: Path) -> dict[str, State]:
    """A run of the encoders alone, and one in which all play."""
    return {
        "encoders": run(folder, JointSchedule(0, 0, 0, 0, 1), 3),
        "all": run(folder, JointSchedule(1, 1, 1, 1, 2), 7),
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, State], list[dict[str, State]]]:
    folder = tmp_path_factory.mktemp("joint_processes")
    return everything(folder), run_processes(2, everything, folder)


def test_encoders_learn_from_one_bank_as_with_the_double_batch(
    results: tuple[dict[str, State], list[dict[str, State]]],
) -> None:
    one, two = results
    expected = one["encoders"]
    order = expected["bank.instance"].argsort()
    for found in (of_rank["encoders"] for of_rank in two):
        other = found["bank.instance"].argsort()
        for name in ("bank.instance", "bank.length", "bank.certainty"):
            torch.testing.assert_close(found[name][other], expected[name][order], rtol=1e-4, atol=1e-5)
        for name in (n for n in expected if n.startswith("encoding.")):
            torch.testing.assert_close(found[name], expected[name], rtol=1e-3, atol=1e-4)
    assert len(order) > 6


def test_all_processes_have_the_same_weights_and_bank(
    results: tuple[dict[str, State], list[dict[str, State]]],
) -> None:
    one, (first, second) = results
    assert first["all"]["steps"] == one["all"]["steps"] == 7
    differing = [name for name, tensor in first["all"].items() if not torch.equal(tensor, second["all"][name])]
    assert differing == []
    assert len(first["all"]["bank.instance"]) >= 8  # two turns of the encoders, over the end of an epoch of 15 photos
    moved = {
        n.partition(".")[0]
        for n, t in first["all"].items()
        if not torch.equal(t, first["encoders"][n]) and not n.startswith("bank")
    }
    assert {"generator", "discriminator", "encoding"} <= moved
