from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, SingleDeviceStrategy
from support.commands import ENCODING, RECONSTRUCTION, Config, config, edit, part, run
from support.runs import Teachers, data, encoding, joint, save_teachers, trainer

from crossx.core.errors import InputError
from crossx.teachers.pair import TeacherPair
from crossx.training.limits import check_trainer
from crossx.training.players_ddp import PlayersDDP

PLAYERS = ("reconstruction", "encoding")


def pretend(**settings: Any) -> Any:  # noqa: ANN401 - stands for a Trainer, of which only these attributes are read
    """A trainer of a machine that we do not have."""
    return SimpleNamespace(
        **{
            "strategy": PlayersDDP(),
            "_accelerator_connector": SimpleNamespace(_layer_sync=None),
            "gradient_clip_val": None,
            "accumulate_grad_batches": 1,
            "precision_plugin": SimpleNamespace(precision="32-true"),
            **settings,
        }
    )


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("strategy", [SingleDeviceStrategy(), PlayersDDP()])
def test_what_is_supported_passes(strategy: object, precision: str) -> None:
    check_trainer(pretend(strategy=strategy, precision_plugin=SimpleNamespace(precision=precision)), PLAYERS)


@pytest.mark.parametrize(
    "setting",
    [{"gradient_clip_val": 1.0}, {"accumulate_grad_batches": 2}],
)
def test_flags_are_refused_with_what_to_use_instead(
    teachers: Teachers, tmp_path: Path, setting: dict[str, Any]
) -> None:
    quiet = trainer(tmp_path, **setting)
    with pytest.raises(InputError, match=rf"trainer\.{next(iter(setting))}: must be .* in a joint run.*; use "):
        quiet.fit(joint(teachers), datamodule=data(teachers))


@pytest.mark.parametrize("precision", ["16-mixed", "16-true", "bf16-true", "64-true"])
def test_other_precisions_are_refused(precision: str) -> None:
    with pytest.raises(
        InputError, match=rf"^trainer\.precision: must be one of 32-true, bf16-mixed in a joint run, got {precision}"
    ):
        check_trainer(pretend(precision_plugin=SimpleNamespace(precision=precision)), PLAYERS)


def test_sharding_is_refused() -> None:
    with pytest.raises(
        InputError,
        match=r"^trainer\.strategy: must be auto, ddp or crossx\S+PlayersDDP in a joint run, got FSDPStrategy",
    ):
        check_trainer(pretend(strategy=FSDPStrategy()), PLAYERS)


@pytest.mark.parametrize("precision", ["16-true", "bf16-true", "64-true"])
def test_frozen_teachers_are_not_cast(tmp_path: Path, precision: str) -> None:
    """Refused in one line by `crossx fit`, before anything trains, and with the teachers as they were."""
    own = save_teachers(tmp_path)
    pair = TeacherPair(*own)
    hashes = [pair.photo.hash, pair.sketch.hash]
    for model in (with_data(), RECONSTRUCTION):
        content = config(own, tmp_path, model)
        edit(content, "trainer.precision", precision)
        message = (
            rf"^trainer\.precision: must be one of 32-true, bf16-mixed, 16-mixed in a run .*, got {precision}, to w"
        )
        with pytest.raises(InputError, match=message) as caught:
            run("fit", tmp_path / "config.yaml", content)
        assert "\n" not in str(caught.value)
        assert [pair.photo.fingerprint(), pair.sketch.fingerprint()] == hashes
    assert not list(tmp_path.rglob("*.ckpt"))


def test_other_verbs_take_any_precision(tmp_path: Path) -> None:
    """Nothing is trained, so nothing has to stay as it was."""
    content = config(save_teachers(tmp_path), tmp_path, with_data())
    edit(content, "trainer.precision", "64-true")
    assert run("validate", tmp_path / "config.yaml", content).trainer.callback_metrics["val/map_all"] > 0


@pytest.mark.parametrize("precision", ["16-true", "bf16-true"])
def test_nothing_is_measured_in_half_precision(teachers: Teachers, tmp_path: Path, precision: str) -> None:
    message = (
        r"^trainer\.precision: must be one of 32-true, bf16-mixed, 16-mixed, 64-true in a run .*, got " + precision
    )
    with pytest.raises(InputError, match=message):
        trainer(tmp_path, precision=precision).test(encoding(teachers), data(teachers, evaluated=True))


def with_data() -> Config:
    return part("EncoderModule", **{**ENCODING["init_args"], "pairs": part("RealPairs")})


def test_sides_that_train_alone_are_left_alone(teachers: Teachers, tmp_path: Path) -> None:
    module = joint(teachers).reconstruction
    trainer(tmp_path, max_steps=1, gradient_clip_val=1.0, limit_val_batches=0).fit(module, datamodule=data(teachers))


@pytest.mark.parametrize("strategy", [DDPStrategy(), DDPStrategy(find_unused_parameters=True)])
def test_other_ddp_is_refused(strategy: DDPStrategy) -> None:
    with pytest.raises(
        InputError,
        match=r"^trainer\.strategy: must be auto, ddp or crossx\S+PlayersDDP in a joint run, got DDPStrategy ",
    ):
        check_trainer(pretend(strategy=strategy), PLAYERS)
