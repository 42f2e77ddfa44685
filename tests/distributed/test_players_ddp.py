"""What processes of a joint run exchange."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from support.processes import run_processes
from support.runs import Teachers, data, encoding, joint, reconstruction, trainer, weights
from torch import Tensor, nn

from crossx.core.distributed import world_size
from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.cotraining.schedule import Schedule
from crossx.training.players_ddp import PlayersDDP


class Parts(nn.Module):
    """Three parameters, of which processes use different ones."""

    def __init__(self) -> None:
        super().__init__()
        self.everywhere, self.somewhere, self.nowhere = (nn.Parameter(torch.zeros(2, 3)) for _ in range(3))
        self.precise = nn.Parameter(torch.zeros(4, dtype=torch.float64))
        image = torch.zeros(2, 3, 2, 2).to(memory_format=torch.channels_last)
        self.strided, self.strided_somewhere = nn.Parameter(image), nn.Parameter(image.clone())


def averaged() -> dict[str, Tensor]:
    parts, rank = Parts(), dist.get_rank()
    parts.everywhere.grad = torch.full((2, 3), 1.0 + rank)
    parts.precise.grad = torch.full((4,), 10.0 * rank, dtype=torch.float64)
    parts.strided.grad = torch.zeros_like(parts.strided) + torch.arange(24.0).view(2, 3, 2, 2)
    if rank == 1:
        parts.strided_somewhere.grad = parts.strided.grad.clone()
        parts.somewhere.grad = torch.arange(6.0).view(2, 3)
    PlayersDDP().average_gradients(parts.parameters())
    assert parts.strided.grad.stride() == parts.strided.stride()
    assert parts.strided_somewhere.grad is not None
    assert parts.strided_somewhere.grad.stride() == parts.strided.stride(), "what fused optimisers rely on"
    return {name: p.grad for name, p in parts.named_parameters() if p.grad is not None}


def exchanged(teachers: Teachers, folder: Path) -> dict[str, Tensor]:
    """Numbers in each exchange of gradients of a run with three batches of each side, and the weights at its end."""
    sizes: list[int] = []
    exchange = PlayersDDP.average_gradients

    def counted(self: PlayersDDP, parameters: Any) -> None:  # noqa: ANN401 - an iterable of parameters
        listed = list(parameters)
        sizes.append(sum(p.numel() for p in listed))
        exchange(self, listed)

    PlayersDDP.average_gradients = counted  # type: ignore[method-assign]  # in a process of its own
    torch.manual_seed(dist.get_rank())
    module = joint(teachers, "batch", schedule=Schedule())
    with torch.no_grad():
        for tensor in [*module.reconstruction.generators.parameters(), *module.reconstruction.generators.buffers()]:
            tensor.add_(dist.get_rank())  # what the first process starts with is what counts
    run = trainer(folder, 6, strategy=PlayersDDP(), devices=2, limit_val_batches=0)
    run.fit(module, datamodule=data(teachers, batch_size=4))
    assert run.model is module, "nothing is wrapped around it"
    return {**weights(module), "sizes": torch.tensor(sizes)}


def test_gradients_are_means_over_processes() -> None:
    first, second = run_processes(2, averaged)
    for found in (first, second):
        assert found.keys() == {"everywhere", "somewhere", "precise", "strided", "strided_somewhere"}
        assert found["strided"].flatten().tolist() == list(range(24))
        assert torch.equal(found["strided_somewhere"], found["strided"] / 2)
        assert found["everywhere"].tolist() == [[1.5] * 3] * 2
        assert found["somewhere"].tolist() == [[0, 0.5, 1], [1.5, 2, 2.5]]
        assert found["precise"].tolist() == [5] * 4
        assert found["precise"].dtype == torch.float64


def alone(teachers: Teachers, folder: Path) -> dict[str, Tensor]:
    """What a run that is not joint says."""
    run = trainer(folder, 2, strategy=PlayersDDP(), devices=2, limit_val_batches=0)
    with pytest.raises(InputError, match=r"^trainer\.strategy: must be auto or ddp in a run that is not joint, got Pl"):
        run.fit(reconstruction(teachers), datamodule=data(teachers, batch_size=4))
    return {}


def clipped(teachers: Teachers, folder: Path) -> dict[str, Tensor]:
    """Four batches of 8 in all whose gradients are cut, in as many processes as there are."""
    world = world_size()
    sides = reconstruction(teachers, clip_norm=0.01), encoding(teachers, clip_norm=0.01)
    module = CoTrainingModule(*sides, Schedule())
    strategy = PlayersDDP() if world > 1 else "auto"
    run = trainer(folder, 4, strategy=strategy, devices=world, limit_val_batches=0)
    run.fit(module, datamodule=data(teachers, batch_size=8 // world))
    return weights(module)


def test_gradients_are_cut_when_they_have_been_averaged(teachers: Teachers, tmp_path: Path) -> None:
    expected = clipped(teachers, tmp_path)
    for found in run_processes(2, clipped, teachers, tmp_path):
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=partial("{}: {}".format, name))


def test_a_run_that_is_not_joint_is_refused(teachers: Teachers, tmp_path: Path) -> None:
    """Nobody would average its gradients."""
    assert run_processes(2, alone, teachers, tmp_path) == [{}, {}]


def test_a_step_exchanges_the_gradients_of_one_player(teachers: Teachers, tmp_path: Path) -> None:
    module = joint(teachers, "batch", schedule=Schedule())
    counts = [sum(p.numel() for p in child.parameters_to_train()) for child in module.players.values()]
    first, second = run_processes(2, exchanged, teachers, tmp_path)
    running = [name for name in first if "running" in name]
    assert running, "which each process has of its own"
    assert counts[0] != counts[1]
    assert first["sizes"].tolist() == second["sizes"].tolist() == counts * 3
    assert all(torch.equal(first[name], second[name]) for name in first.keys() - running)
