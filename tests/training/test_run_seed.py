"""The seed of a run that is started from Python."""

import json
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from lightning.pytorch import seed_everything
from support.processes import run_processes
from support.runs import Teachers, data, reconstruction, trainer, weights
from torch import Tensor

from crossx.core import seeding
from crossx.core.seeding import coming_seed, run_seed
from crossx.reports.run.report import RunReport
from crossx.training.module import CrossxModule


@pytest.fixture(autouse=True)
def no_earlier_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "_set_by_crossx", None)


def fitted(teachers: Teachers, folder: Path, seed: int | None) -> tuple[int, dict[str, Tensor]]:
    """Seed in the results of a fit of 3 steps, and the weights that it ends with; the start is always the same."""
    module = reconstruction(teachers)  # seeds torch with 0
    if seed is not None:
        torch.manual_seed(seed)
    quiet = trainer(folder, 3, [RunReport()])
    quiet.fit(module, datamodule=data(teachers))
    return json.loads((folder / "results.json").read_text())["seed"], weights(module)


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_seed_of_torch_is_the_seed_of_the_run(teachers: Teachers, tmp_path: Path) -> None:
    runs = [fitted(teachers, tmp_path / str(i), seed) for i, seed in enumerate((5, 6, 5))]
    assert [seed for seed, _ in runs] == [5, 6, 5]
    (_, five), (_, six), (_, again) = runs
    assert equal(five, again)
    assert not equal(five, six)


def test_explicit_seed_wins(teachers: Teachers, tmp_path: Path) -> None:
    seed_everything(7, verbose=False)
    assert fitted(teachers, tmp_path, 5)[0] == 7


def test_a_second_run_without_a_new_seed_keeps_the_seed(teachers: Teachers, tmp_path: Path) -> None:
    """The seeds that crossx gives to torch at each batch are not the user's."""
    modules = [reconstruction(teachers), reconstruction(teachers)]
    torch.manual_seed(9)
    seeds = []
    for module in modules:
        trainer(tmp_path, 3).fit(module, datamodule=data(teachers))
        seeds.append(run_seed())
    assert seeds == [9, 9]
    assert equal(*(weights(module) for module in modules))


def test_a_seed_of_more_than_32_bits_counts() -> None:
    seeds = []
    for seed in (3, 3 + 2**32, 3 + 2**40, 2**63 - 1, -1):
        torch.manual_seed(seed)
        seeds.append(coming_seed())
    assert seeds[0] == 3
    assert len(set(seeds)) == len(seeds)
    assert all(0 < seed < 2**32 for seed in seeds)


def test_torch_that_was_never_seeded_has_a_seed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "initial_seed", lambda: torch.default_generator.seed())
    assert coming_seed() != coming_seed(), "a seed of the system's entropy"


def seed_of_processes(teachers: Teachers) -> list[int]:
    torch.manual_seed(20 + dist.get_rank())
    module = reconstruction(teachers)
    torch.manual_seed(20 + dist.get_rank())
    trainer(Path(), 1, devices=2, strategy="ddp_find_unused_parameters_true").fit(module, datamodule=data(teachers))
    return [run_seed()]


def test_all_processes_have_the_seed_of_the_first(
    teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_processes(2, seed_of_processes, teachers) == [[20], [20]]


def test_is_in_the_checkpoint_and_another_one_is_named(teachers: Teachers, tmp_path: Path) -> None:
    module = reconstruction(teachers)
    torch.manual_seed(5)
    first = trainer(tmp_path, 3)
    first.fit(module, datamodule=data(teachers))
    first.save_checkpoint(tmp_path / "c.ckpt")
    assert torch.load(tmp_path / "c.ckpt", weights_only=True)["crossx"]["seed"] == 5
    other: CrossxModule = reconstruction(teachers)
    torch.manual_seed(6)
    with pytest.warns(UserWarning, match="trained with seed 5 and goes on with .* 6"):
        trainer(tmp_path, 4).fit(other, datamodule=data(teachers), ckpt_path=tmp_path / "c.ckpt", weights_only=True)
