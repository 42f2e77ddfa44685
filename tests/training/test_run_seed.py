"""The seed of a run that is started from Python."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from lightning.pytorch import seed_everything
from support.commands import RECONSTRUCTION, config, edit, write
from support.processes import run_processes
from support.runs import Teachers, data, reconstruction, trainer, weights
from torch import Tensor

from crossx.cli.training import build, parse
from crossx.core import seeding
from crossx.core.seeding import coming_seed, run_seed, settle_seed
from crossx.reconstruction.generators import UpsamplingGenerator
from crossx.reports.run.report import RunReport
from crossx.training.module import CrossxModule
from crossx.types import Modality


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


@pytest.mark.parametrize(("first", "second"), [(7, None), (None, 5), (7, 5), (None, None)])
def test_the_last_seed_that_the_user_sets_wins(first: int | None, second: int | None) -> None:
    """Of `seed_everything` and `torch.manual_seed`, in either order."""
    for everything in (True, False):
        torch.manual_seed(1)
        expected = 1
        for seed, of_lightning in ((first, everything), (second, not everything)):
            if seed is not None:
                (partial(seed_everything, verbose=False) if of_lightning else torch.manual_seed)(seed)
                expected = seed
        assert coming_seed() == expected
        settle_seed(lambda seed: seed)
        assert run_seed() == coming_seed() == expected


def test_explicit_seed_is_that_of_the_run(teachers: Teachers, tmp_path: Path) -> None:
    module = reconstruction(teachers)
    torch.manual_seed(5)
    seed_everything(7, verbose=False)
    trainer(tmp_path, 3).fit(module, datamodule=data(teachers))
    assert run_seed() == 7
    seed_everything(7, verbose=False)
    assert coming_seed() == 7, "after a run, too"
    torch.manual_seed(5)
    assert coming_seed() == 5


def test_a_seed_after_the_command_line_counts(
    teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = config(teachers, tmp_path, RECONSTRUCTION)
    words = ["fit", "--config", write(tmp_path / "c.yaml", content)]
    torch.manual_seed(4)
    parse(words)
    assert torch.initial_seed() == 4, "reading a config seeds nothing"
    built = build([*words, "--seed_everything", "3"])
    assert coming_seed() == run_seed() == 3
    torch.manual_seed(7)
    assert coming_seed() == 7
    built.trainer.fit(built.model, datamodule=built.datamodule)
    assert run_seed() == 7
    stored = torch.load(tmp_path / "run/version_0/checkpoints/last.ckpt", weights_only=True)["crossx"]
    assert stored["seed"] == stored["config"]["seed_everything"] == 7


class Seeding(UpsamplingGenerator):
    """A generator that seeds torch when it is built."""

    def __init__(self, modality: Modality, size: int = 16) -> None:
        torch.manual_seed(99)
        super().__init__(modality, size, 8, 8)


def test_a_part_that_seeds_torch_does_not_change_the_seed_of_the_command_line(
    teachers: Teachers, tmp_path: Path
) -> None:
    content = config(teachers, tmp_path, RECONSTRUCTION)
    edit(content, "model.generator", {"class_path": f"{__name__}.Seeding"})
    build(["fit", "--config", write(tmp_path / "c.yaml", content), "--seed_everything", "3"])
    assert coming_seed() == 3


def test_a_seed_in_the_environment_counts_where_torch_was_never_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that Lightning starts beside this one."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "3")
    monkeypatch.setattr(seeding, "_at_import", 2**52)
    monkeypatch.setattr(torch, "initial_seed", lambda: 2**52)
    assert coming_seed() == 3
    monkeypatch.setattr(torch, "initial_seed", lambda: 9)
    assert coming_seed() == 9


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
