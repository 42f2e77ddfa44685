import math
from pathlib import Path

import lightning.pytorch as pl
import pytest
from support.commands import RECONSTRUCTION, config, edit, joint_config, part, run
from support.runs import Teachers, data, joint, trainer

from crossx.core.errors import InputError
from crossx.cotraining.module import CoTrainingModule
from crossx.cotraining.schedule import Schedule
from crossx.training.run_length import Length, check_length, in_batches
from crossx.types import Progress


@pytest.mark.parametrize(
    ("length", "total", "batches"),
    [(0, None, 0), (7, None, 7), (7, 3, 7), (1, 100, 1), (1.0, 100, 100), (0.0, 100, 0), (0.25, 100, 25), (0.3, 11, 3)],
)
def test_whole_numbers_are_batches_and_fractions_are_shares(length: Length, total: int | None, batches: int) -> None:
    check_length("warmup", length)
    assert in_batches("warmup", length, total) == batches


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (-1, r"^warmup: must be at least 0, got -1$"),
        (1.01, r"^warmup \(a share of the run\): must be in \[0, 1\], got 1\.01$"),
        (-0.5, r"^warmup \(a share of the run\): must be in \[0, 1\], got -0\.5$"),
        (math.nan, r"^warmup \(a share of the run\): must be in \[0, 1\], got nan$"),
    ],
)
def test_lengths_out_of_range(length: Length, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_length("warmup", length)


def test_share_of_a_run_without_known_length_is_refused() -> None:
    message = (
        r"^warmup: 0\.5 is a share of the run, whose length is not known; set trainer\.max_steps, or give a number"
    )
    with pytest.raises(InputError, match=message):
        in_batches("warmup", 0.5, None)


def test_run_that_ends_by_time_has_no_shares(teachers: Teachers, tmp_path: Path) -> None:
    endless = trainer(tmp_path, -1, max_time="00:00:10:00", limit_val_batches=0)
    with pytest.raises(InputError, match=r"^schedule\.warmup: 0\.5 is a share of the run, whose length is not known"):
        endless.fit(joint(teachers, schedule=Schedule(warmup=0.5)), datamodule=data(teachers))


@pytest.mark.parametrize("steps", [8, 12])
def test_one_number_sets_the_length_of_everything(teachers: Teachers, tmp_path: Path, steps: int) -> None:
    """Schedule, rates, ramps and epochs of a joint run follow `--trainer.max_steps` alone."""
    content = joint_config(teachers, tmp_path)
    edit(content, "model.schedule.warmup", 0.25)
    edit(content, "data.batches_per_epoch", 0.5)
    edit(content, "model.reconstruction.terms.entropy.ramp", [0.25, 0.75])
    for side in ("reconstruction", "encoding"):
        edit(content, f"model.{side}.scheduler", part("Cosine"))
    cli = run("fit", tmp_path / "config.yaml", content, "--trainer.max_steps", str(steps))
    module, total = cli.model, steps
    assert isinstance(module, CoTrainingModule)
    assert cli.trainer.global_step == total
    turns = [module.player(Progress(done, total)) for done in range(total)]
    warmup, rest = total // 4, total - total // 4
    assert turns[:warmup] == ["reconstruction"] * warmup
    assert turns[warmup:] == (["reconstruction", "encoding"] * rest)[:rest]
    assert planned(cli.trainer) == [turns.count("reconstruction"), turns.count("encoding")]
    assert [float(optimizer.param_groups[0]["lr"]) for optimizer in cli.trainer.optimizers] == pytest.approx([0, 0])
    entropy = module.reconstruction.objective.terms["entropy"]
    assert entropy.weight_at(Progress(total // 4, total)) == 0
    assert entropy.weight_at(Progress(total // 2, total)) == pytest.approx(0.5)
    assert entropy.weight_at(Progress(3 * total // 4, total)) == 1
    assert cli.trainer.num_training_batches == total // 2
    assert cli.trainer.current_epoch == 2


def planned(trainer: pl.Trainer) -> list[int]:
    """Steps over which the rate schedules are planned."""
    return [int(c.scheduler.T_max) for c in trainer.lr_scheduler_configs]  # type: ignore[union-attr]  # Cosine's


def test_epochs_give_the_length_too(teachers: Teachers, tmp_path: Path) -> None:
    """Three epochs of two batches are six steps."""
    content = config(teachers, tmp_path, RECONSTRUCTION)
    edit(content, "model.scheduler", part("Cosine"))
    edit(content, "trainer.max_steps", -1)
    edit(content, "trainer.max_epochs", 3)
    cli = run("fit", tmp_path / "config.yaml", content)
    assert cli.trainer.global_step == 6
    assert planned(cli.trainer) == [6]


def test_epochs_that_are_shares_of_the_run_do_not_give_its_length(teachers: Teachers, tmp_path: Path) -> None:
    by_epochs = trainer(tmp_path, -1, limit_val_batches=0)
    by_epochs.fit_loop.max_epochs = 2
    with pytest.raises(
        InputError, match=r"^data\.batches_per_epoch: 0\.5 is a share of the run, whose length is not k"
    ):
        by_epochs.fit(joint(teachers), datamodule=data(teachers, batches_per_epoch=0.5))
