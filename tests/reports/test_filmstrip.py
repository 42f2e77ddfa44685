"""Fixed latents over time, beside the curve."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.commands import edit, joint_config, run
from support.runs import Teachers, data, encoding, reconstruction

from crossx.core.errors import InputError
from crossx.reports.pictures.charts import PHOTO, curve_chart
from crossx.reports.pictures.filmstrip import Filmstrip

CELL, CURVE = 56 + 12, 360


def show(strip: Filmstrip, module: Any, folder: Path, step: int, value: float | None = None) -> None:  # noqa: ANN401
    metrics = {} if value is None else {"val/map_all": torch.tensor(value)}
    trainer: Any = SimpleNamespace(global_step=step, callback_metrics=metrics, datamodule=data(batch_size=4))
    strip.show(trainer, module, folder)


def steps(strip: Filmstrip) -> list[int]:
    return [frame["step"] for frame in strip.state_dict()["frames"]]


def test_strip_thins_itself_out_and_keeps_both_ends(teachers: Teachers, tmp_path: Path) -> None:
    strip, module = Filmstrip(latents=1, columns=4), reconstruction(teachers)
    for time in range(30):
        show(strip, module, tmp_path, 10 * time, time / 30)
        found = steps(strip)
        assert (found[0], found[-1]) == (0, 10 * time)
        assert len(found) <= 4
        gaps = np.diff(found)
        assert len(set(gaps[:-1])) <= 1, "equal gaps, but for the newest"
        assert all(0 < gap <= max(gaps[:1]) for gap in gaps[-1:])
    assert [step for step, _ in strip.state_dict()["curve"]] == list(range(0, 300, 10)), "the curve keeps all"


def test_the_same_step_is_shown_once(teachers: Teachers, tmp_path: Path) -> None:
    strip, module = Filmstrip(latents=1), reconstruction(teachers)
    for step, value in ((0, 0.1), (5, 0.2), (5, 0.3)):
        show(strip, module, tmp_path, step, value)
    assert steps(strip) == [0, 5]
    assert strip.state_dict()["curve"] == [(0, pytest.approx(0.1)), (5, pytest.approx(0.3))]


def test_latents_are_fixed_and_generators_change(teachers: Teachers, tmp_path: Path) -> None:
    strip, module = Filmstrip(latents=3), reconstruction(teachers)
    show(strip, module, tmp_path, 0)
    show(strip, module, tmp_path, 1)
    with torch.no_grad():
        for parameter in module.generators.parameters():
            parameter.mul_(1.5)
    show(strip, module, tmp_path, 2)
    first, second, third = strip.state_dict()["frames"]
    assert torch.equal(first["photo"], second["photo"])
    assert not torch.equal(first["photo"], third["photo"])
    assert first["photo"].shape == (3, 3, 56, 56)
    with Image.open(tmp_path / "filmstrip.png") as picture:
        assert picture.width == 3 * CELL + 6 + CURVE


def test_joint_run_has_one_from_step_0_on(joint_run: Path) -> None:
    state = torch.load(joint_run / "checkpoints/last.ckpt", weights_only=True)["callbacks"]["Filmstrip"]
    assert [frame["step"] for frame in state["frames"]] == [0, 2, 4]
    with (joint_run / "metrics.csv").open(newline="") as file:
        logged = [float(row["val/map_all"]) for row in csv.DictReader(file) if row["val/map_all"]]
    assert [value for _, value in state["curve"][1:]] == pytest.approx(logged)
    with Image.open(joint_run / "filmstrip.png") as picture:
        assert picture.width == 3 * CELL + 6 + CURVE


def test_resumed_run_goes_on_with_it(joint_run: Path, teachers: Teachers, tmp_path: Path) -> None:
    last = str(joint_run / "checkpoints/last.ckpt")
    content = joint_config(teachers, tmp_path)
    run("fit", tmp_path / "c.yaml", content, "--ckpt_path", last, "--trainer.max_steps", "6")
    path = tmp_path / "run/version_0/checkpoints/last.ckpt"
    state = torch.load(path, weights_only=True)["callbacks"]["Filmstrip"]
    assert [frame["step"] for frame in state["frames"]] == [0, 2, 4, 6]
    assert [step for step, _ in state["curve"]] == [0, 2, 4, 6]


def test_curve_of_other_images_is_not_continued(joint_run: Path, teachers: Teachers, tmp_path: Path) -> None:
    last = str(joint_run / "checkpoints/last.ckpt")
    content = joint_config(teachers, tmp_path)
    edit(content, "data.pen", {"white_on_black": True})
    run("fit", tmp_path / "c.yaml", content, "--ckpt_path", last, "--trainer.max_steps", "6")
    path = tmp_path / "run/version_0/checkpoints/last.ckpt"
    state = torch.load(path, weights_only=True)["callbacks"]["Filmstrip"]
    assert [frame["step"] for frame in state["frames"]] == [0, 2, 4, 6]
    assert [step for step, _ in state["curve"]] == [6]


def test_strip_of_other_latents_is_not_continued(teachers: Teachers, tmp_path: Path) -> None:
    old, new, same = Filmstrip(latents=2), Filmstrip(latents=3), Filmstrip(latents=2)
    show(old, reconstruction(teachers), tmp_path, 5)
    for strip in (new, same):
        strip.load_state_dict(old.state_dict())
        show(strip, reconstruction(teachers), tmp_path, 9)
    assert steps(new) == [9]
    assert steps(same) == [5, 9]


def test_module_without_generators_has_none(teachers: Teachers, tmp_path: Path) -> None:
    show(Filmstrip(), encoding(teachers), tmp_path, 0, 0.5)
    assert list(tmp_path.iterdir()) == []


def test_curve_goes_through_its_points() -> None:
    picture = np.asarray(curve_chart([(0, 0.0), (10, 0.5), (20, 0.25)], 240, 156, "title"))
    for x, y in ((40, 130), (132, 30), (224, 80)):
        assert (picture[y, x] == PHOTO).all()
    empty = np.asarray(curve_chart([], 240, 156, ""))
    assert not (empty == PHOTO).all(2).any()


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match=r"^filmstrip\.latents: must be at least 1, got 0$"):
        Filmstrip(latents=0)
    with pytest.raises(InputError, match=r"^filmstrip\.columns: must be at least 2, got 1$"):
        Filmstrip(columns=1)
