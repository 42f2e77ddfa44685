"""What processes of a joint run exchange."""

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from support.processes import run_processes
from support.runs import Teachers, data, joint, trainer, weights
from torch import Tensor, nn

from crossx.cotraining.schedule import Schedule
from crossx.training.players_ddp import PlayersDDP


class Parts(nn.Module):
    """Three parameters, of which processes use different ones."""

    def __init__(self) -> None:
        super().__init__()
        self.everywhere, self.somewhere, self.nowhere = (nn.Parameter(torch.zeros(2, 3)) for _ in range(3))
        self.precise = nn.Parameter(torch.zeros(4, dtype=torch.float64))


def averaged() -> dict[str, Tensor]:
    parts, rank = Parts(), dist.get_rank()
    parts.everywhere.grad = torch.full((2, 3), 1.0 + rank)
    parts.precise.grad = torch.full((4,), 10.0 * rank, dtype=torch.float64)
    if rank == 1:
        parts.somewhere.grad = torch.arange(6.0).view(2, 3)
    PlayersDDP().average_gradients(parts.parameters())
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
    module = joint(teachers, "group", schedule=Schedule())
    with torch.no_grad():
        for parameter in module.reconstruction.generators.parameters():
            parameter.add_(dist.get_rank())  # what the first process starts with is what counts
    run = trainer(folder, 6, strategy=PlayersDDP(), devices=2, limit_val_batches=0)
    run.fit(module, datamodule=data(teachers, batch_size=4))
    assert run.model is module, "nothing is wrapped around it"
    return {**weights(module), "sizes": torch.tensor(sizes)}


def test_gradients_are_means_over_processes() -> None:
    first, second = run_processes(2, averaged)
    for found in (first, second):
        assert found.keys() == {"everywhere", "somewhere", "precise"}
        assert found["everywhere"].tolist() == [[1.5] * 3] * 2
        assert found["somewhere"].tolist() == [[0, 0.5, 1], [1.5, 2, 2.5]]
        assert found["precise"].tolist() == [5] * 4
        assert found["precise"].dtype == torch.float64


def test_a_step_exchanges_the_gradients_of_one_player(teachers: Teachers, tmp_path: Path) -> None:
    module = joint(teachers, "group", schedule=Schedule())
    counts = [sum(p.numel() for p in child.parameters_to_train()) for child in module.players.values()]
    first, second = run_processes(2, exchanged, teachers, tmp_path)
    assert counts[0] != counts[1]
    assert first["sizes"].tolist() == second["sizes"].tolist() == counts * 3
    assert all(torch.equal(first[name], second[name]) for name in first)
